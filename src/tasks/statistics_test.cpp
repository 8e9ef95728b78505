#include "tasks/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace polyphon {
namespace {

TEST(Statistics, TheIntervalOfACoinIsTheNormalOne) {
  std::vector<double> tosses(400, 0.0);
  std::fill(tosses.begin(), tosses.begin() + 100, 1.0);
  const Interval interval = bootstrap_mean(tosses, 4000);
  const double half = 1.96 * std::sqrt(0.25 * 0.75 / 400);
  EXPECT_DOUBLE_EQ(interval.mean, 0.25);
  EXPECT_NEAR(interval.low, 0.25 - half, 0.005);
  EXPECT_NEAR(interval.high, 0.25 + half, 0.005);
}

TEST(Statistics, TheIntervalCoversTheTruthAsOftenAsItSays) {
  Random random(3);
  int covered = 0;
  constexpr int kTrials = 400;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> sample;
    for (int i = 0; i < 60; ++i) sample.push_back(random.uniform());
    const Interval interval = bootstrap_mean(sample, 400, static_cast<uint64_t>(trial));
    covered += interval.low <= 0.5 && 0.5 <= interval.high;
  }
  EXPECT_NEAR(covered / static_cast<double>(kTrials), 0.95, 0.035);
}

TEST(Statistics, PairsShareTheirDifficulty) {
  // a is right wherever b is, and once more: a difference that pairing can see.
  std::vector<double> a, b;
  for (int i = 0; i < 200; ++i) {
    b.push_back(i % 2);
    a.push_back(i % 2 == 1 || i % 20 == 0 ? 1 : 0);
  }
  const Interval paired = bootstrap_mean(paired_differences(a, b));
  EXPECT_NEAR(paired.mean, 0.05, 1e-12);
  EXPECT_GT(paired.low, 0);
}

TEST(Statistics, CorrelationIsOneForCopiesAndNoneForIndependence) {
  Random random(9);
  std::vector<std::vector<int>> copies, independent, constant;
  for (int i = 0; i < 4000; ++i) {
    const int error = random.uniform() < 0.4;
    copies.push_back({error, error, error});
    independent.push_back({random.uniform() < 0.4, random.uniform() < 0.6, random.uniform() < 0.5});
    constant.push_back({1, 0});
  }
  EXPECT_NEAR(error_correlation(copies), 1, 1e-12);
  EXPECT_NEAR(error_correlation(independent), 0, 0.04);
  EXPECT_EQ(error_correlation(constant), 0);
  for (size_t problems : {10, 100, 130})
    EXPECT_EQ(error_correlation(std::vector(problems, std::vector{1, 1})), 0);
  EXPECT_EQ(error_correlation({}), 0);
  EXPECT_DOUBLE_EQ(effective_streams(8, 1), 1);
  EXPECT_DOUBLE_EQ(effective_streams(8, 0), 8);
  EXPECT_NEAR(effective_streams(8, 0.5), 8 / 4.5, 1e-12);
}

TEST(Statistics, QuantilesLieBetweenNeighbours) {
  EXPECT_EQ(quantile({}, 0.5), 0);
  EXPECT_EQ(quantile({3}, 0.9), 3);
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 2}, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(quantile({4, 1, 3, 2}, 1), 4);
}

TEST(Statistics, IntervalsAreWrittenAlike) {
  const Interval gain{0.0716, 0.0222, 0.1221};
  EXPECT_EQ(figure(gain, true), "+0.072 (+0.022 to +0.122)");
  EXPECT_EQ(figure(gain, false), "0.072 (0.022 to 0.122)");
  EXPECT_EQ(percent(gain, true), "+7.2 (+2.2 to +12.2)");
  EXPECT_EQ(percent(gain, false), "7.2 (2.2 to 12.2)");
  EXPECT_EQ(to_json(interval_from_json(to_json(gain))), to_json(gain));
}

}  // namespace
}  // namespace polyphon
