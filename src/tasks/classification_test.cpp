#include "tasks/classification.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace polyphon {
namespace {

using Scores = std::vector<double>;
using Labels = std::vector<int>;

TEST(Classification, AucCountsPairsInOrderAndHalfTheTies) {
  EXPECT_EQ(roc_auc(Scores{1, 2, 3, 4}, Labels{0, 0, 1, 1}), 1);
  EXPECT_EQ(roc_auc(Scores{4, 3, 2, 1}, Labels{0, 0, 1, 1}), 0);
  EXPECT_EQ(roc_auc(Scores{1, 1, 1, 1}, Labels{0, 0, 1, 1}), 0.5);
  // (3, 2) and (3, 1) in order, (2, 2) a tie, (2, 1) in order: 3.5 of 4.
  EXPECT_EQ(roc_auc(Scores{3, 2, 2, 1}, Labels{1, 1, 0, 0}), 3.5 / 4);
  EXPECT_EQ(roc_auc(Scores{1, 2}, Labels{1, 1}), 0.5);
  EXPECT_EQ(roc_auc(Scores{}, Labels{}), 0.5);
}

// The plain reference: all pairs.
TEST(Classification, AucIsThatOfAllPairs) {
  Random random(3);
  Scores scores;
  Labels labels;
  for (int i = 0; i < 200; ++i) {
    scores.push_back(std::floor(20 * random.uniform()));
    labels.push_back(random.uniform() < 0.3 ? 1 : 0);
  }
  double right = 0, pairs = 0;
  for (size_t i = 0; i < scores.size(); ++i)
    for (size_t j = 0; j < scores.size(); ++j) {
      if (labels[i] != 1 || labels[j] != 0) continue;
      ++pairs;
      right += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
    }
  EXPECT_NEAR(roc_auc(scores, labels), right / pairs, 1e-12);
}

TEST(Classification, AucWithinGroupsIsBlindToTheGroup) {
  // The score is the group's number: it orders all pairs across groups, none within.
  const Scores scores{1, 1, 2, 2};
  const Labels labels{0, 0, 0, 1}, groups{1, 1, 2, 2};
  EXPECT_GT(roc_auc(scores, labels), 0.8);
  EXPECT_EQ(roc_auc_within(scores, labels, groups), 0.5);
  EXPECT_EQ(roc_auc_within(Scores{9, 1, 1, 2}, Labels{0, 0, 0, 1}, groups), 1);
}

TEST(Classification, BrierScoreIsTheMeanSquare) {
  EXPECT_NEAR(brier_score(Scores{0.5, 1, 0.2}, Labels{1, 1, 0}), (0.25 + 0 + 0.04) / 3, 1e-12);
}

TEST(Classification, AveragePrecisionByHand) {
  // Precision 1 at the first one, 2/3 at the second.
  EXPECT_NEAR(average_precision(Scores{4, 3, 2, 1}, Labels{1, 0, 1, 0}), (1 + 2.0 / 3) / 2, 1e-12);
  EXPECT_EQ(average_precision(Scores{1, 1, 1, 1}, Labels{1, 0, 0, 0}), 0.25) << "the share of ones";
  EXPECT_EQ(average_precision(Scores{1, 2}, Labels{0, 0}), 0);
}

TEST(Classification, PrecisionAndRecallAboveAThreshold) {
  const auto found = precision_recall(Scores{0.9, 0.6, 0.5, 0.1}, Labels{1, 0, 1, 1}, 0.5);
  EXPECT_EQ(found.precision, 0.5);
  EXPECT_NEAR(found.recall, 1.0 / 3, 1e-12);
  EXPECT_EQ(found.rate, 0.5);
  const auto none = precision_recall(Scores{0.1}, Labels{1}, 0.5);
  EXPECT_EQ(none.precision, 0);
  EXPECT_EQ(none.rate, 0);
}

TEST(Classification, CalibrationBinsAreOfEqualCount) {
  const auto bins = calibration(Scores{0.8, 0.1, 0.3, 0.6}, Labels{1, 0, 1, 0}, 2);
  ASSERT_EQ(bins.size(), 2u);
  EXPECT_EQ(bins[0].count, 2);
  EXPECT_NEAR(bins[0].predicted, 0.2, 1e-12);
  EXPECT_EQ(bins[0].observed, 0.5);
  EXPECT_NEAR(bins[1].predicted, 0.7, 1e-12);
  EXPECT_EQ(calibration(Scores{0.8}, Labels{1}, 3).size(), 1u) << "no empty ones";
}

// Rows that repeat their group's value add no certainty: the interval is that of the groups.
TEST(Classification, TheBootstrapDrawsWholeGroups) {
  Labels groups, alone;
  Scores values, copies;
  Random random(5);
  for (int group = 0; group < 40; ++group) {
    const double value = random.uniform();
    values.push_back(value);
    alone.push_back(group);
    for (int i = 0; i < 25; ++i) {
      copies.push_back(value);
      groups.push_back(group);
    }
  }
  const auto mean_of = [](const Scores& all) {
    return [&all](std::span<const size_t> rows) {
      double sum = 0;
      for (const size_t row : rows) sum += all[row];
      return sum / static_cast<double>(rows.size());
    };
  };
  const Interval one = bootstrap_groups(alone, mean_of(values), 500);
  const Interval many = bootstrap_groups(groups, mean_of(copies), 500);
  EXPECT_NEAR(one.mean, many.mean, 1e-9);
  EXPECT_NEAR(one.low, many.low, 1e-9);
  EXPECT_NEAR(one.high, many.high, 1e-9);
  EXPECT_LT(one.low, one.mean);
  EXPECT_GT(one.high, one.mean);
}

}  // namespace
}  // namespace polyphon
