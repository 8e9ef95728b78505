// What one session did, complete enough to replay it. Plain. The engine fills in spans and edits,
// the session the rest. Its JSON form: record/codec.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/token.h"
#include "record/decision.h"
#include "record/names.h"
#include "record/outcome.h"
#include "record/session_result.h"
#include "record/span_owner.h"
#include "record/think_request.h"

namespace polyphon {

// A run of cells decoded in one sequence, or placed there. tokens[i] sits at position begin + i and
// was decoded in step steps[i], or is there from that step on; logprobs[i] is NaN for tokens that
// were fed, not sampled (null in JSON).
struct TraceSpan {
  int id = 0;        // index in Trace::spans
  int sequence = 0;  // the session's own number of the sequence, from 0, never reused
  SpanOwner owner;
  std::string strategy;  // of a stream, else empty
  Position begin = 0;
  Tokens tokens;
  std::vector<Step> steps;
  std::vector<float> logprobs;
};

enum class EditKind {
  kOpen,   // a new empty view
  kJoin,   // cells [begin, end) of `source`'s view enter `sequence`'s
  kDrop,   // cells [begin, end) leave its view
  kPlace,  // the span at [begin, end) enters its view from a copy: its tokens saw each other and
           // SessionMemory's anchor alone, at whatever positions
  kClose,  // the whole view is dropped
};
std::span<const EnumName<EditKind>> names_of(EditKind);

// One edit of a view.
struct TraceEdit {
  Step step = 0;  // decodes done before the edit
  EditKind kind = EditKind::kOpen;
  int sequence = 0;
  int source = -1;
  Position begin = 0;
  Position end = 0;    // one past the last
  int promotion = -1;  // that this join carries out; -1: none
};

struct Trace {
  static constexpr int kFormat = 2;

  std::string id;            // also the answer's polyphon.trace_id
  std::string created;       // RFC 3339, UTC
  std::string version;       // of the served model
  std::string model_digest;  // SHA-256 of the GGUF file
  std::string config_hash;
  uint64_t seed = 0;
  int cached_prompt_tokens = 0;  // came from the prefix cache; replay prefills them apart
  ThinkRequest request;          // without cells of memory
  std::vector<TraceSpan> spans;
  std::vector<TraceEdit> edits;
  std::vector<TraceDecision> decisions;
  SessionResult result;
  std::optional<Outcome> outcome;  // none: no checker has looked
};

}  // namespace polyphon
