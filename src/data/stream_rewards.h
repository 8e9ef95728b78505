// Rewards of the streams of one problem, and the training weights that follow from them. Pure
// functions.
#pragma once

#include <vector>

#include "core/token.h"

namespace polyphon {

enum class RewardMethod {
  // Weight = reward - mean reward of the problem's streams: a policy gradient with this baseline,
  // not divided by the standard deviation (Liu et al. 2025, arXiv:2503.20783).
  kPolicyGradient,
  // Rejection sampling: a right stream weighs its reward, a wrong one -failure_weight.
  kRejection,
};

struct RewardOptions {
  RewardMethod method = RewardMethod::kPolicyGradient;
  double failure_weight = 0.1;  // no stream weighs less than -failure_weight
  // Added to the reward 1 of a right stream. A wrong stream gets 0, however short or different it
  // is.
  double speed_weight = 0;    // times the share of its budget that it left unused
  double breadth_weight = 0;  // times its distance from the most similar right stream
};

struct RewardedStream {
  bool right = false;
  double left_share = 0;  // share of its budget that it left unused
  Tokens said;
};

// [streams]: 1 or more for a right stream, else 0. The distance of two streams is 1 minus the
// Jaccard index of their trigrams; the only right stream has the distance 1.
std::vector<double> stream_rewards(const std::vector<RewardedStream>& streams,
                                   const RewardOptions& options);

// [streams]: training weights; a stream with weight 0 is not learnt.
std::vector<double> stream_weights(const std::vector<RewardedStream>& streams,
                                   const RewardOptions& options);

}  // namespace polyphon
