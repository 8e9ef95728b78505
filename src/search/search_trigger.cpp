#include "search/search_trigger.h"

namespace polyphon {
namespace {

constexpr double kEntropyKept = 0.9;  // weight of the old average at each token

}  // namespace

bool SearchTrigger::marked() const { return step_.text.find(kSearchMarker) != std::string::npos; }

bool SearchTrigger::observe(Token token, std::string_view piece, double logprob, double entropy) {
  step_.add(token, piece, logprob, entropy);
  ++since_search_;
  entropy_ = entropy_ < 0 ? entropy : kEntropyKept * entropy_ + (1 - kEntropyKept) * entropy;
  return step_.complete() || marked();
}

std::optional<SearchCause> SearchTrigger::at_step_end(double value) {
  const bool asked = marked();
  step_ = {};
  values_.push_back(value);
  if (since_search_ < request_.min_gap_tokens) return std::nullopt;
  if (request_.mode == SearchMode::kAlways) return SearchCause::kAlways;
  if (asked) return SearchCause::kMarker;
  if (entropy_ >= request_.entropy_threshold) return SearchCause::kEntropy;
  const auto back = static_cast<size_t>(request_.value_steps);
  const bool falls =
      values_.size() > back && values_[values_.size() - 1 - back] - value >= request_.value_drop;
  return falls ? std::optional(SearchCause::kValue) : std::nullopt;
}

void SearchTrigger::restart() {
  step_ = {};
  since_search_ = 0;
  entropy_ = -1;
  values_.clear();
}

}  // namespace polyphon
