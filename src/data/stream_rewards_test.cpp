#include "data/stream_rewards.h"

#include <gtest/gtest.h>

namespace polyphon {
namespace {

using Weights = std::vector<double>;

const std::vector<bool> kHalfRight = {true, true, false, false};

void expect_near(const Weights& found, const Weights& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-12) << i;
}

TEST(StreamRewards, PolicyGradientSubtractsTheMeanAndClipsFailures) {
  RewardOptions options;
  options.failure_weight = 1;
  expect_near(stream_weights(kHalfRight, options), {0.5, 0.5, -0.5, -0.5});
  options.failure_weight = 0.1;
  expect_near(stream_weights(kHalfRight, options), {0.5, 0.5, -0.1, -0.1});
  expect_near(stream_weights({true, true}, options), {0, 0});
  expect_near(stream_weights({}, options), {});
}

TEST(StreamRewards, RejectionSamplingGivesOneOrAClippedNegative) {
  RewardOptions options;
  options.method = RewardMethod::kRejection;
  expect_near(stream_weights(kHalfRight, options), {1, 1, -0.1, -0.1});
  options.failure_weight = 0;
  expect_near(stream_weights(kHalfRight, options), {1, 1, 0, 0});
}

}  // namespace
}  // namespace polyphon
