// What the streams of one problem are paid, and what they then weigh in training. Pure functions.
#pragma once

#include <vector>

#include "core/token.h"

namespace polyphon {

enum class RewardMethod {
  // The reward less the mean of the problem's streams: a policy gradient with that baseline, not
  // divided by the standard deviation (Liu et al. 2025, arXiv:2503.20783).
  kPolicyGradient,
  // Rejection sampling: what is right weighs its reward, what is wrong as little as a failure may.
  kRejection,
};

struct RewardOptions {
  RewardMethod method = RewardMethod::kPolicyGradient;
  double failure_weight = 0.1;  // a stream weighs at least this, negative
  // Beside 1, to a stream that is right; one that is wrong is paid nothing, however short or
  // different it is.
  double speed_weight = 0;    // of the share of its budget that it left
  double breadth_weight = 0;  // of how far it is from the right stream that is most like it
};

struct RewardedStream {
  bool right = false;
  double left_share = 0;  // of its budget
  Tokens said;
};

// By stream, 1 and more for what is right. How far two streams are from each other: 1 less the
// Jaccard index of their trigrams; a stream that is right alone is as far as can be.
std::vector<double> stream_rewards(const std::vector<RewardedStream>& streams,
                                   const RewardOptions& options);

// By stream; 0 teaches nothing.
std::vector<double> stream_weights(const std::vector<RewardedStream>& streams,
                                   const RewardOptions& options);

}  // namespace polyphon
