// Finds the promotions of a recorded session: what the gate knew about each, and the edits that
// carried it out. Pure functions.
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
  // Indices into Trace::edits of the edits that carried it out; empty if it reached no view.
  std::vector<size_t> edits;
  std::vector<float> features;  // the gate's features of the candidate
  TokenPlace last_token;  // the candidate's last token; the gate read the state it was sampled from
};

// The promotions in order of their numbers. Throws Error{kInvalidArgument} if the record lacks one.
std::vector<TracePromotion> trace_promotions(const Trace& trace);
// Throws Error{kInvalidArgument} if there is no promotion with this number.
const TracePromotion& promotion_at(const std::vector<TracePromotion>& promotions, int number);

// The last token that the sequence sampled before position `end`; none if it sampled none.
std::optional<TokenPlace> last_sampled_token(const Trace& trace, int sequence, Position end);

}  // namespace polyphon
