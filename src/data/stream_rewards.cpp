#include "data/stream_rewards.h"

#include <algorithm>
#include <numeric>

#include "text/similarity.h"

namespace polyphon {
namespace {

constexpr int kGram = 3;

double likeness_to_another(const std::vector<RewardedStream>& streams, size_t stream) {
  double most = 0;
  for (size_t i = 0; i < streams.size(); ++i)
    if (i != stream && streams[i].right)
      most = std::max(most, ngram_overlap(streams[stream].said, streams[i].said, kGram));
  return most;
}

}  // namespace

std::vector<double> stream_rewards(const std::vector<RewardedStream>& streams,
                                   const RewardOptions& options) {
  std::vector<double> rewards(streams.size());
  for (size_t i = 0; i < streams.size(); ++i) {
    if (!streams[i].right) continue;
    rewards[i] = 1 + options.speed_weight * streams[i].left_share;
    if (options.breadth_weight > 0)
      rewards[i] += options.breadth_weight * (1 - likeness_to_another(streams, i));
  }
  return rewards;
}

std::vector<double> stream_weights(const std::vector<RewardedStream>& streams,
                                   const RewardOptions& options) {
  std::vector<double> weights = stream_rewards(streams, options);
  const bool policy = options.method == RewardMethod::kPolicyGradient;
  const double mean = std::accumulate(weights.begin(), weights.end(), 0.0) /
                      static_cast<double>(std::max<size_t>(1, weights.size()));
  for (size_t i = 0; i < weights.size(); ++i) {
    if (policy)
      weights[i] -= mean;
    else if (!streams[i].right)
      weights[i] = -options.failure_weight;
    weights[i] = std::max(weights[i], -options.failure_weight);
  }
  return weights;
}

}  // namespace polyphon
