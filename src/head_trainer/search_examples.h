// From the recorded tree of a search, with the outcomes of what was played out from it, to what the
// value head learns: a state a node, and the choices among siblings. No torch. Pure.
#pragma once

#include <vector>

#include "data/tree_outcomes.h"
#include "heads/value_head.h"
#include "record/session_result.h"

namespace polyphon {

// One of what may be chosen among. A choice's targets add up to one.
struct ChoiceRow {
  int64_t group = -1;    // the siblings that it is among; -1: none
  double visits = 1;     // by the search
  double target = 0;     // share of it in the best ones
  double elsewhere = 0;  // share of the tokens below all siblings that was not spent on the best
};

struct SearchExample {
  int node = 0;
  bool right = false;  // what was played out from it, or itself if nothing could follow
  ValueFeatures features;
  double mean_logprob = 0;  // of its step
  ChoiceRow choice;         // by parent: the group is the parent's number
};

// The nodes that have an outcome. Best are the siblings below which the share of right ends is
// greatest, themselves included; the target is shared by their visits. Where all are equally good
// or there is nothing to choose from, `elsewhere` is 0. Throws std::out_of_range
// when the outcome has a node that is not in the tree, Error{kInvalidArgument} when the tree has
// one without features.
std::vector<SearchExample> search_examples(const SearchResult& search, const TreeOutcome& outcome);

}  // namespace polyphon
