// The promotions of a recorded session, found by its trace alone: what the gate knew of each, and
// the edits of views that carried it out. Pure.
#pragma once

#include <vector>

#include "record/trace.h"
#include "record/trace_promotion.h"

namespace polyphon {

// By their number in result.workspace. Throws Error{kInvalidArgument} when the gate decided on none
// of them, or it has no token; Json::exception when a member is missing.
std::vector<TracePromotion> trace_promotions(const Trace& trace);

// Throws Error{kInvalidArgument} when there is none of that number.
const TracePromotion& promotion_at(const std::vector<TracePromotion>& promotions, int number);

}  // namespace polyphon
