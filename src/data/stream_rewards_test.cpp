#include "data/stream_rewards.h"

#include <gtest/gtest.h>

namespace polyphon {
namespace {

using Weights = std::vector<double>;

std::vector<RewardedStream> streams() {
  return {{true, 0.5, {1, 2, 3, 4}},
          {true, 0.25, {1, 2, 3, 4}},
          {false, 0.75, {7, 8, 9}},
          {false, 0, {1, 2, 3, 4}}};
}

void expect_near(const Weights& found, const Weights& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-12) << i;
}

TEST(StreamRewards, PolicyGradientSubtractsTheMeanAndClipsFailures) {
  RewardOptions options;
  options.failure_weight = 1;
  expect_near(stream_weights(streams(), options), {0.5, 0.5, -0.5, -0.5});
  options.failure_weight = 0.1;
  expect_near(stream_weights(streams(), options), {0.5, 0.5, -0.1, -0.1});
  expect_near(stream_weights({{true, 0, {}}, {true, 0, {}}}, options), {0, 0});
  expect_near(stream_weights({}, options), {});
}

TEST(StreamRewards, RejectionSamplingGivesOneOrAClippedNegative) {
  RewardOptions options;
  options.method = RewardMethod::kRejection;
  expect_near(stream_weights(streams(), options), {1, 1, -0.1, -0.1});
  options.failure_weight = 0;
  expect_near(stream_weights(streams(), options), {1, 1, 0, 0});
}

TEST(StreamRewards, SpeedIsPaidOnlyToRightStreams) {
  RewardOptions options;
  options.speed_weight = 0.4;
  expect_near(stream_rewards(streams(), options), {1.2, 1.1, 0, 0});
  std::vector<RewardedStream> quicker = streams();
  quicker[2].left_share = 1;
  EXPECT_EQ(stream_weights(quicker, options), stream_weights(streams(), options));
  // If all streams are right, the quick ones are learnt.
  expect_near(stream_weights({{true, 0.5, {}}, {true, 0, {}}}, options), {0.1, -0.1});
}

TEST(StreamRewards, BreadthIsPaidOnlyToRightStreamsUnlikeOtherRightOnes) {
  RewardOptions options;
  options.breadth_weight = 0.5;
  expect_near(stream_rewards(streams(), options), {1, 1, 0, 0});
  std::vector<RewardedStream> apart = streams();
  apart[1].said = {1, 2, 3, 5};  // they share one of three trigrams
  expect_near(stream_rewards(apart, options), {1 + 0.5 * 2 / 3, 1 + 0.5 * 2 / 3, 0, 0});
  apart[1].right = false;  // similarity to a wrong stream costs nothing
  expect_near(stream_rewards(apart, options), {1.5, 0, 0, 0});
}

}  // namespace
}  // namespace polyphon
