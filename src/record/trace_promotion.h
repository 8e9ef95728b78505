// The promotions of a recorded session: what the gate knew of each, and the edits of views that
// carried it out. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "record/trace.h"

namespace polyphon {

// A place in a trace: Trace::spans[span].tokens[index].
struct TokenPlace {
  int span = 0;
  int index = 0;
};

struct TracePromotion {
  std::vector<size_t> edits;    // in Trace::edits: they carried it out; none when it reached nobody
  std::vector<float> features;  // by which the gate chose it
  TokenPlace last_token;        // of the candidate, whose state the gate read
};

// By their number. Throws Error{kInvalidArgument} when the record lacks one.
std::vector<TracePromotion> trace_promotions(const Trace& trace);
// Throws Error{kInvalidArgument} when there is none of that number.
const TracePromotion& promotion_at(const std::vector<TracePromotion>& promotions, int number);

// The last token that the sequence sampled before the position `end`; none when it sampled none.
std::optional<TokenPlace> last_sampled_token(const Trace& trace, int sequence, Position end);

}  // namespace polyphon
