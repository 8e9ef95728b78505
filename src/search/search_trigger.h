// When one stream should stop and search: it is unsure, its value falls, or it asks to. Pure.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "heads/thought_step.h"
#include "record/decision.h"
#include "record/search_request.h"

namespace polyphon {

// A stream that writes this asks for a search.
inline constexpr std::string_view kSearchMarker = "[search]";

class SearchTrigger {
 public:
  explicit SearchTrigger(const SearchRequest& request)
      : request_(request), since_search_(request.min_gap_tokens) {}

  // A token that the stream sampled. True at the end of a thought step: call at_step_end() next.
  bool observe(Token token, std::string_view piece, double logprob, double entropy);
  // The step that is being written.
  const ThoughtStep& step() const { return step_; }
  // `value` is that of step(), which is over. Why a search should begin now.
  std::optional<SearchCause> at_step_end(double value);
  // A search is over: what was said before does not count any more.
  void restart();

  double entropy() const { return entropy_; }  // smoothed, in nats

 private:
  bool marked() const;

  SearchRequest request_;
  ThoughtStep step_;
  int since_search_;
  double entropy_ = -1;  // nothing yet
  std::vector<double> values_;
};

}  // namespace polyphon
