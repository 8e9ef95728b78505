// What one search of a stream did and spent, and how it is told: in the answer's report and in the
// trace. Plain.
#pragma once

#include <string>

#include "core/json.h"

namespace polyphon {

struct SearchFigures {
  int stream = 0;
  int search = 0;  // of the stream, from 0
  std::string trigger;
  Step began_step = 0;
  size_t from_byte = 0;  // of the stream's text, where the search began
  int steps = 0;         // in which a branch was decoded
  int rows = 0;          // of them
  int simulations = 0;
  int tokens = 0;  // decoded by branches that are done
  int committed_tokens = 0;
  double ms = 0;          // by share of rows
  std::string why_ended;  // empty while the tree grows
  std::string text;       // that was committed, bytes

  double leaves_per_step() const { return steps == 0 ? 0 : static_cast<double>(rows) / steps; }
  double waste() const {
    return tokens == 0 ? 0 : 1 - static_cast<double>(committed_tokens) / tokens;
  }
};

// One of polyphon.search's "searches", but for its tree.
Json to_json(const SearchFigures& figures);
// Of the decision "search_ended".
Json ending_of(const SearchFigures& figures);

}  // namespace polyphon
