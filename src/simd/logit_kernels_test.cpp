#include "simd/logit_kernels.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/random.h"

namespace polyphon {
namespace {

constexpr float kInfiniteLogit = std::numeric_limits<float>::infinity();

// Sizes around the block and every vector length; some values equal, some not finite.
std::vector<float> random_row(Random& random, bool finite_only) {
  std::vector<float> row(1 + random.next() % (3 * kLogitBlock + 20));
  for (float& logit : row) {
    logit = static_cast<float>(static_cast<int>(random.next() % 400) - 300) / 8;
    if (finite_only || random.next() % 4 != 0) continue;
    const float strange[] = {kInfiniteLogit, -kInfiniteLogit,
                             std::numeric_limits<float>::quiet_NaN()};
    logit = strange[random.next() % 3];
  }
  return row;
}

// Runs the test for each instruction set that this CPU has.
class LogitKernels : public testing::TestWithParam<uint32_t> {
 protected:
  void SetUp() override { hwy::SetSupportedTargetsForTest(GetParam()); }
  void TearDown() override { hwy::SetSupportedTargetsForTest(0); }
};

std::vector<uint32_t> targets() {
  std::vector<uint32_t> each;
  for (const auto target : hwy::SupportedAndGeneratedTargets())
    each.push_back(static_cast<uint32_t>(target));
  return each;
}

INSTANTIATE_TEST_SUITE_P(Targets, LogitKernels, testing::ValuesIn(targets()),
                         [](const auto& info) { return std::string(hwy::TargetName(info.param)); });

TEST_P(LogitKernels, CleaningLeavesOnlyFiniteValuesAndTheirMaxima) {
  Random random(1);
  for (int trial = 0; trial < 500; ++trial) {
    const std::vector<float> raw = random_row(random, false);
    std::vector<float> row = raw, maxima;
    const float all = clean_and_block_maxima(row, maxima);
    std::vector<float> expected_maxima((raw.size() + kLogitBlock - 1) / kLogitBlock,
                                       -kInfiniteLogit);
    for (size_t i = 0; i < raw.size(); ++i) {
      ASSERT_EQ(row[i], std::isfinite(raw[i]) ? raw[i] : -kInfiniteLogit);
      float& maximum = expected_maxima[i / kLogitBlock];
      maximum = std::max(maximum, row[i]);
    }
    ASSERT_EQ(maxima, expected_maxima);
    ASSERT_EQ(all, *std::max_element(row.begin(), row.end()));
  }
}

TEST_P(LogitKernels, BestAreThoseOfAWholeSort) {
  Random random(2);
  for (int trial = 0; trial < 500; ++trial) {
    std::vector<float> row = random_row(random, false), maxima;
    clean_and_block_maxima(row, maxima);
    std::vector<int32_t> order;
    for (size_t i = 0; i < row.size(); ++i)
      if (std::isfinite(row[i])) order.push_back(static_cast<int32_t>(i));
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
      return row[static_cast<size_t>(a)] > row[static_cast<size_t>(b)];
    });
    const size_t count = random.next() % (random.next() % 2 == 0 ? 5 : 500);
    order.resize(std::min(count, order.size()));
    std::vector<int32_t> best = {77};
    collect_best(row, maxima, count, best);
    ASSERT_EQ(best, order) << "trial " << trial;
  }
}

TEST_P(LogitKernels, CollectingGivesAllAtOrAboveTheThreshold) {
  Random random(3);
  for (int trial = 0; trial < 300; ++trial) {
    std::vector<float> row = random_row(random, false), maxima;
    clean_and_block_maxima(row, maxima);
    const float threshold = row[random.next() % row.size()];
    std::vector<int32_t> expected, indices;
    for (size_t i = 0; i < row.size(); ++i)
      if (row[i] >= threshold) expected.push_back(static_cast<int32_t>(i));
    collect_at_least(row, maxima, threshold, indices);
    ASSERT_EQ(indices, expected);
  }
}

TEST_P(LogitKernels, SumsAgreeWithDoubles) {
  Random random(4);
  for (int trial = 0; trial < 300; ++trial) {
    std::vector<float> row = random_row(random, trial % 2 == 0), maxima, sums;
    const float maximum = clean_and_block_maxima(row, maxima);
    if (!std::isfinite(maximum)) continue;
    const float scale = trial % 3 == 0 ? 1.0f : static_cast<float>(0.1 + 5 * random.uniform());
    const double all = exp_block_sums(row, maximum, scale, sums);
    std::vector<double> expected(maxima.size(), 0.0);
    for (size_t i = 0; i < row.size(); ++i)
      expected[i / kLogitBlock] += std::exp(static_cast<double>(row[i] - maximum) * scale);
    ASSERT_EQ(sums.size(), expected.size());
    for (size_t i = 0; i < sums.size(); ++i)
      ASSERT_NEAR(sums[i], expected[i], 1e-5 * expected[i] + 1e-30);
    const double total = std::accumulate(expected.begin(), expected.end(), 0.0);
    ASSERT_NEAR(all, total, 1e-5 * total);
  }
}

TEST_P(LogitKernels, EntropyAgreesWithDoubles) {
  Random random(5);
  std::vector<float> sums;
  for (int trial = 0; trial < 300; ++trial) {
    std::vector<float> row = random_row(random, trial % 2 == 0), maxima;
    const float maximum = clean_and_block_maxima(row, maxima);
    if (!std::isfinite(maximum)) continue;
    double sum = 0, expected = 0;
    for (const float logit : row) sum += std::exp(static_cast<double>(logit) - maximum);
    for (const float logit : row) {
      const double p = std::exp(static_cast<double>(logit) - maximum) / sum;
      if (p > 0) expected -= p * std::log(p);
    }
    ASSERT_NEAR(entropy_nats(row, maximum, exp_block_sums(row, maximum, 1, sums)), expected, 1e-4);
  }
}

TEST_P(LogitKernels, WhatIsMinusInfinityHasNoWeight) {
  std::vector<float> row(2 * kLogitBlock, -kInfiniteLogit), maxima, sums;
  row[3] = 5;
  const float maximum = clean_and_block_maxima(row, maxima);
  exp_block_sums(row, maximum, 2, sums);
  EXPECT_EQ(sums, (std::vector<float>{1, 0}));
}

}  // namespace
}  // namespace polyphon
