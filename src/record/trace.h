// A trace records what one session did, completely enough to replay it. The engine fills in spans
// and edits, the session fills in the rest. Plain data; JSON form in record/codec.h.
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

// A run of cells that were decoded in one sequence, or placed there. Cell i has position begin + i.
// steps[i] is the step in which it was decoded or placed. logprobs[i] is NaN (null in JSON) if the
// token was fed, not sampled.
struct TraceSpan {
  int id = 0;        // index into Trace::spans
  int sequence = 0;  // number of the sequence within the session, from 0, never reused
  SpanOwner owner;
  std::string strategy;  // name of the stream's strategy; empty for other owners
  Position begin = 0;
  Tokens tokens;
  std::vector<Step> steps;
  std::vector<float> logprobs;
};

enum class EditKind {
  kOpen,  // a new empty view
  kJoin,  // cells [begin, end) of the view of `source` are added to the view of `sequence`
  kDrop,  // cells [begin, end) leave the view
  // The span at [begin, end) is added from a copy; its tokens see only each other and
  // SessionMemory's anchor.
  kPlace,
  kClose,  // the whole view is dropped
};
std::span<const EnumName<EditKind>> names_of(EditKind);

// One change of a view.
struct TraceEdit {
  Step step = 0;  // number of decodes before the edit
  EditKind kind = EditKind::kOpen;
  int sequence = 0;
  int source = -1;
  Position begin = 0;
  Position end = 0;    // one past the last
  int promotion = -1;  // number of the promotion that this join carries out; -1: none
};

struct Trace {
  static constexpr int kFormat = 2;

  std::string id;            // also the answer's polyphon.trace_id
  std::string created;       // RFC 3339, UTC
  std::string version;       // name of the served version
  std::string model_digest;  // SHA-256 of the GGUF file
  std::string config_hash;
  uint64_t seed = 0;
  int cached_prompt_tokens = 0;  // taken from the prefix cache; a replay prefills them separately
  ThinkRequest request;          // without the cells of memory's nodes
  std::vector<TraceSpan> spans;
  std::vector<TraceEdit> edits;
  std::vector<TraceDecision> decisions;
  SessionResult result;
  std::optional<Outcome> outcome;  // none until a checker has judged the session
};

}  // namespace polyphon
