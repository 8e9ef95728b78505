#include "data/stream_rewards.h"

#include <algorithm>

namespace polyphon {

std::vector<double> stream_weights(const std::vector<bool>& right, const RewardOptions& options) {
  const auto solved = static_cast<double>(std::count(right.begin(), right.end(), true));
  const double mean = solved / static_cast<double>(std::max<size_t>(1, right.size()));
  std::vector<double> weights;
  for (const bool each : right) {
    const bool policy = options.method == RewardMethod::kPolicyGradient;
    const double weight = policy ? each - mean : each ? 1 : -options.failure_weight;
    weights.push_back(std::max(weight, -options.failure_weight));
  }
  return weights;
}

}  // namespace polyphon
