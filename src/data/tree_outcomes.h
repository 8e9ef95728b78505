// What became of the branches of a session's searches: for each state of a tree, whether the line
// that led to it came to the right answer when it was played out to its end. Pure.
#pragma once

#include <vector>

#include "record/outcome.h"
#include "record/session_result.h"
#include "tasks/problem.h"

namespace polyphon {

// One a search, in their order; a search of which nothing came to an end has no nodes.
std::vector<TreeOutcome> tree_outcomes(const Problem& problem, const SessionResult& result);

}  // namespace polyphon
