#include "head_trainer/head_report.h"

#include <gtest/gtest.h>

#include <cmath>

namespace polyphon {
namespace {

// Forty problems of two examples, right ones marked by an odd number.
LabelledExamples examples() {
  LabelledExamples examples;
  for (int i = 0; i < 80; ++i) {
    examples.labels.push_back(i % 2);
    examples.weights.push_back(1);
    examples.problems.push_back(i / 2);
  }
  return examples;
}
HeadArm knowing() {
  HeadArm arm{"knows", {}};
  for (int i = 0; i < 80; ++i) arm.probabilities.push_back(i % 2 == 1 ? 0.9 : 0.2);
  return arm;
}
HeadArm ignorant() { return {"knows nothing", std::vector<double>(80, 0.5)}; }

double mean(const Json& line, const char* name) { return line.at(name).at("mean").get<double>(); }

TEST(HeadReport, OfTheValueHead) {
  const auto lines = report_labels("value", examples(), {knowing(), ignorant()});
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(mean(lines[0], "auc"), 1);
  EXPECT_EQ(mean(lines[0], "auc_within"), 1);
  EXPECT_NEAR(mean(lines[0], "brier"), (0.01 + 0.04) / 2, 1e-12);
  EXPECT_NEAR(mean(lines[0], "loss"), -(std::log(0.9) + std::log(0.8)) / 2, 1e-12);
  EXPECT_EQ(lines[0].at("calibration").size(), 10u);
  EXPECT_EQ(mean(lines[1], "auc_gain"), 0.5);
  EXPECT_EQ(lines[1].at("auc_gain").at("low"), 0.5);
}

// A choice among the four examples of each problem; those of half of them are learnt from.
TEST(HeadReport, OfChoices) {
  LabelledExamples all = examples();
  HeadArm arm = knowing();
  for (int i = 0; i < 80; ++i) {
    all.problems[static_cast<size_t>(i)] = i / 4;
    all.groups.push_back(i / 4);
    all.visits.push_back(i % 4 == 0 ? 3 : 1);
    all.targets.push_back(i % 2 == 1 ? 0.5 : 0);
    all.elsewhere.push_back(i < 40 ? 0.5 : 0);
  }
  const auto lines = report_labels("value", all, {arm, ignorant()});
  EXPECT_EQ(mean(lines[0], "auc_choice"), 1);
  EXPECT_EQ(mean(lines[1], "auc_choice"), 0.5);
  EXPECT_EQ(mean(lines[1], "auc_choice_gain"), 0.5);
  EXPECT_EQ(mean(lines[1], "auc_within_gain"), 0.5);
  // Odds of 9 and 1/4, one of the latter with three visits.
  EXPECT_NEAR(mean(lines[0], "choice_loss"), -std::log(9 / (9 + 9 + 0.25 + 0.75)), 1e-9);
  EXPECT_NEAR(mean(lines[1], "choice_loss"), -std::log(1.0 / 6), 1e-9);
  EXPECT_NEAR(lines[1].at("choice_loss").at("high").get<double>(), -std::log(1.0 / 6), 1e-9)
      << "a choice that is drawn twice is twice the same choice";
  EXPECT_FALSE(report_labels("value", examples(), {arm})[0].contains("choice_loss"));
}

TEST(HeadReport, RankingMayBeAnothers) {
  HeadArm arm = ignorant();
  arm.ranking = knowing().probabilities;
  const auto lines = report_labels("value", examples(), {arm});
  EXPECT_EQ(mean(lines[0], "auc"), 1);
  EXPECT_EQ(mean(lines[0], "brier"), 0.25);
}

TEST(HeadReport, OfTheGateBesideOneThatPromotesByChance) {
  LabelledExamples all = examples();
  std::vector<double> effects;
  for (const int label : all.labels) effects.push_back(label == 1 ? 0.5 : -0.25);
  // Ten more without an effect, which the gate would promote.
  HeadArm gate = knowing();
  for (int i = 0; i < 10; ++i) {
    all.labels.push_back(0);
    all.weights.push_back(0);
    all.problems.push_back(100 + i);
    effects.push_back(0);
    gate.probabilities.push_back(0.95);
  }
  const auto lines = report_gate(all, effects, {gate});
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(mean(lines[0], "auc"), 1);
  EXPECT_EQ(mean(lines[0], "average_precision"), 1);
  EXPECT_EQ(mean(lines[0], "precision"), 1);
  EXPECT_EQ(mean(lines[0], "recall"), 1);
  EXPECT_EQ(mean(lines[0], "rate"), 0.5);
  EXPECT_NEAR(mean(lines[0], "effect"), 40 * 0.5 / 50, 1e-12);
  EXPECT_EQ(lines[1].at("arm"), "constant");
  EXPECT_EQ(mean(lines[1], "precision"), 0.5);
  EXPECT_EQ(mean(lines[1], "recall"), 0.5) << "by chance as many as the gate promotes";
  EXPECT_NEAR(mean(lines[1], "effect"), 40 * 0.25 / 90, 1e-12);
  EXPECT_EQ(mean(lines[1], "average_precision_gain"), 0.5);
}

TEST(HeadReport, IsATable) {
  const std::string table = to_table(report_labels("value", examples(), {knowing(), ignorant()}));
  EXPECT_NE(table.find("| arm | auc | auc_within | brier | loss | auc_gain | auc_within_gain |"),
            std::string::npos)
      << table;
  EXPECT_NE(table.find("| knows | 1.000 (1.000 to 1.000) |"), std::string::npos) << table;
}

}  // namespace
}  // namespace polyphon
