#include "record/outcome.h"

#include <algorithm>

namespace polyphon {
namespace {

int count_right(const std::vector<bool>& right) {
  return static_cast<int>(std::count(right.begin(), right.end(), true));
}

double share_right(const std::vector<bool>& right) {
  return right.empty()
             ? 0
             : static_cast<double>(count_right(right)) / static_cast<double>(right.size());
}

}  // namespace

int Outcome::right_count() const { return count_right(right); }

bool Outcome::is_mixed() const {
  return right_count() > 0 && right_count() < static_cast<int>(right.size());
}

double effect_of(const Outcome& outcome, const Counterfactual& without) {
  return share_right(outcome.right) - share_right(without.right);
}

}  // namespace polyphon
