// Decides when a stream should pause and search: it is uncertain, its value falls, or it asks for a
// search. Pure.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "heads/thought_step.h"
#include "record/decision.h"
#include "record/search_request.h"

namespace polyphon {

// A stream asks for a search by writing this.
inline constexpr std::string_view kSearchMarker = "[search]";

class SearchTrigger {
 public:
  explicit SearchTrigger(const SearchRequest& request)
      : request_(request), since_search_(request.min_gap_tokens) {}

  // Adds a token that the stream sampled. Returns true at the end of a thought step: then call
  // at_step_end().
  bool observe(Token token, std::string_view piece, double logprob, double entropy);
  // The step that is being written, or that has just ended.
  const ThoughtStep& step() const { return step_; }
  // `value`: the value of step(), which has ended. Returns why a search should begin now, or none.
  std::optional<SearchCause> at_step_end(double value);
  // Call after a search: what was sampled before does not count any more.
  void restart();

  double entropy() const { return entropy_; }  // exponentially smoothed, in nats

 private:
  bool marked() const;

  SearchRequest request_;
  ThoughtStep step_;
  int since_search_;
  double entropy_ = -1;  // -1: no token yet
  std::vector<double> values_;
};

}  // namespace polyphon
