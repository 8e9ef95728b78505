// For each state of a session's search trees: whether its line came to the right answer when it was
// played out to the end. Pure.
#pragma once

#include <vector>

#include "record/outcome.h"
#include "record/session_result.h"
#include "tasks/problem.h"

namespace polyphon {

// One per search, in order. A search of which no line came to an end has no nodes.
std::vector<TreeOutcome> tree_outcomes(const Problem& problem, const SessionResult& result);

}  // namespace polyphon
