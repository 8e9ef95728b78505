// What the streams of one problem weigh in training: a right one is paid 1, a wrong one nothing.
// Pure functions.
#pragma once

#include <vector>

namespace polyphon {

enum class RewardMethod {
  // Weight = reward - mean reward of the problem's streams: a policy gradient with this baseline,
  // not divided by the standard deviation (Liu et al. 2025, arXiv:2503.20783).
  kPolicyGradient,
  // Rejection sampling: what is right weighs 1, what is wrong as little as a failure may.
  kRejection,
};

struct RewardOptions {
  RewardMethod method = RewardMethod::kPolicyGradient;
  double failure_weight = 0.1;  // a stream weighs at least this, negative; 0: failures are left out
};

// By stream, `right` as they were; 0 teaches nothing.
std::vector<double> stream_weights(const std::vector<bool>& right, const RewardOptions& options);

}  // namespace polyphon
