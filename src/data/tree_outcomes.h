// What became of the branches of a session's searches: for each state of a tree, whether the line
// that led to it came to the right answer when it was played out to its end. Pure.
#pragma once

#include <vector>

#include "core/json.h"
#include "tasks/problem.h"

namespace polyphon {

struct TreeOutcome {
  int stream = 0;
  int search = 0;           // of the stream, from 0
  std::vector<int> nodes;   // whose line has an end: it was played out, or nothing could follow
  std::vector<bool> right;  // of each
};

// `result`: the answer's polyphon object. One a search, in their order; a search of which nothing
// came to an end has no nodes.
std::vector<TreeOutcome> tree_outcomes(const Problem& problem, const Json& result);

Json to_json(const TreeOutcome& outcome);
// Throws Json::exception.
TreeOutcome tree_outcome_from_json(const Json& json);

}  // namespace polyphon
