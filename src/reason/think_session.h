// One problem thought through by parallel streams: plan, streams, merge, answer (design.md
// sections 1 and 2). Runs on the decode thread as a state machine; texts are rendered before, on the
// caller's thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/sampling.h"
#include "core/topology.h"
#include "engine/session.h"
#include "model/language_model.h"
#include "reason/events.h"
#include "reason/options.h"

namespace polyphon {

struct ThinkRequest {
  Tokens prompt;                  // the rendered chat, the assistant's turn opened; not empty
  // Rendered by ChatTemplate::interjection: the turn that asks for a topology, and the turn that
  // asks for the synthesis (tokens; the answer is generated right after).
  Tokens plan_instruction;
  Tokens merge_instruction;
  Topology topology;              // no phases: auto
  MergeMode merge = MergeMode::kKv;
  SamplingParams sampling;        // of the streams, the ladder applied; seed of the whole session
  SamplingParams answer_sampling;
  GrammarSpec answer_grammar;     // response_format or tools
  std::vector<std::string> stop;  // of the answer
  int max_answer_tokens = 512;
  bool ignore_eos = false;        // streams run to their budget (benchmarks); also switches off early stops
};

// The whole request as JSON, for the trace, and back. from_json throws Error{kInvalidArgument}.
Json to_json(const ThinkRequest& request);
ThinkRequest think_request_from_json(const Json& json);

// KV memory of a plan, computed before it starts.
struct PlanNeeds {
  int cells = 0;          // at the worst moment
  int sequences = 0;
  int last_position = 0;  // of the longest path
};
PlanNeeds plan_needs(const ThinkRequest& request, const ReasonOptions& options, const Vocabulary& vocabulary);

// Checks the request's plan against caps, the cache's size and the model's trained context. An
// explicit topology that does not fit throws Error{kInvalidArgument, field "polyphon.topology"} with
// the figures (cells needed, cells there, bytes); with `narrow` it is narrowed instead (fewer streams
// first, then shorter) and what was done is returned for the trace, empty if nothing.
std::string fit_plan(ThinkRequest& request, const ReasonOptions& options, const Vocabulary& vocabulary,
                     int capacity_cells, int64_t bytes_per_cell, int trained_context, int max_sequences,
                     bool narrow);

struct TraceHeader {
  std::string id;
  std::string version;
  std::string model_digest;
  std::string config_hash;
};

// `model` must outlive the session; `options` is copied. Throws Error{kInvalidArgument} for a
// grammar that does not parse.
std::unique_ptr<Session> make_think_session(const LanguageModel& model, ThinkRequest request,
                                            const ReasonOptions& options, const TraceHeader& header,
                                            std::shared_ptr<EventChannel> events);

}  // namespace polyphon
