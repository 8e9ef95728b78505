// What one session did, complete enough to replay it: plain state and its JSON form.
// Filled by the engine (spans, edits) and by reason (request, decisions, answer).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/token.h"

namespace polyphon {

// A run of cells decoded in one sequence, or placed there. tokens[i] sits at position begin + i and
// was decoded in step steps[i], or is there from that step on; logprobs[i] is NaN for tokens that
// were fed, not sampled (null in JSON).
struct TraceSpan {
  int id = 0;            // index in Trace::spans
  int sequence = 0;      // the session's own number of the sequence, from 0, never reused
  std::string owner;     // "prompt", "stream 3", "preamble 3", "merge", "answer", "plan", ...
  std::string strategy;  // of a stream, else empty
  Position begin = 0;
  Tokens tokens;
  std::vector<Step> steps;
  std::vector<float> logprobs;
};

// One edit of a view. `kind` is "open" (new empty view), "join" (cells [begin, end) of `source`'s
// view enter `sequence`'s), "drop" (cells [begin, end) leave its view), "place" (the span at
// [begin, end) enters its view from a copy: its tokens saw each other and SessionMemory's anchor
// alone, at whatever positions), or "close" (the whole view is dropped).
struct TraceEdit {
  Step step = 0;  // decodes done before the edit
  std::string kind;
  int sequence = 0;
  int source = -1;
  Position begin = 0;
  Position end = 0;  // one past the last
};

// A choice of policy: collapse watch, early stop, narrowing, plan, merge. `detail` is its evidence.
struct TraceDecision {
  Step step = 0;
  std::string kind;
  Json detail;
};

struct Trace {
  static constexpr int kFormat = 1;

  std::string id;            // also the answer's polyphon.trace_id
  std::string created;       // RFC 3339, UTC
  std::string version;       // of the served model
  std::string model_digest;  // SHA-256 of the GGUF file
  std::string config_hash;
  uint64_t seed = 0;
  int cached_prompt_tokens = 0;  // came from the prefix cache; replay prefills them apart
  Json request;                  // the ThinkRequest, with the prompt as tokens
  std::vector<TraceSpan> spans;
  std::vector<TraceEdit> edits;
  std::vector<TraceDecision> decisions;
  Json result;   // the answer object: streams, text, timings
  Json outcome;  // what a checker said of it; null: none has looked
};

Json to_json(const Trace& trace);
// Throws Error{kInvalidArgument} that says which member is missing or of the wrong type.
Trace trace_from_json(const Json& json);

// Traces as JSON lines. append throws Error{kInternal} when the line cannot be written whole (disk
// full); read throws Error{kNotFound} or {kInvalidArgument} with the line number.
void append_trace(const std::string& path, const Trace& trace);
void append_traces(const std::string& path, std::span<const Trace> traces);  // all or none
std::vector<Trace> read_traces(const std::string& path);

}  // namespace polyphon
