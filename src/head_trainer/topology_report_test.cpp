#include "head_trainer/topology_report.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace polyphon {
namespace {

// Forty problems and three topologies: the first is right in even problems, the second in odd ones
// and in every fourth, the third never. The model states the third, or in the first ten problems
// the first.
PlayedTopologies played() {
  PlayedTopologies played{{}, {}, {}, {}, {"1x64", "2x32", "4x16"}};
  for (int problem = 0; problem < 40; ++problem)
    for (int choice = 0; choice < 3; ++choice) {
      played.problems.push_back(problem);
      played.choices.push_back(choice);
      const bool right = (choice == 0 && problem % 2 == 0) ||
                         (choice == 1 && (problem % 2 == 1 || problem % 4 == 0));
      played.right.push_back(right ? 1 : 0);
      played.stated.push_back(choice == (problem < 10 ? 0 : 2) ? 1 : 0);
    }
  return played;
}

// Says `p` of what is right and 0.5 of the rest.
HeadArm knowing(const PlayedTopologies& played, double p) {
  HeadArm arm{"knowing", {}};
  for (const int right : played.right) arm.probabilities.push_back(right == 1 ? p : 0.5);
  return arm;
}

class Report {
 public:
  Report(const PlayedTopologies& played, const std::vector<HeadArm>& arms)
      : lines_(report_choices(played, arms)) {}
  Json line(const std::string& policy) const {
    const auto found = std::find_if(lines_.begin(), lines_.end(),
                                    [&](const Json& line) { return line.at("arm") == policy; });
    return found == lines_.end() ? Json() : *found;
  }
  double right(const std::string& policy) const {
    return line(policy).at("right").at("mean").get<double>();
  }
  const std::vector<Json>& lines() const { return lines_; }

 private:
  const std::vector<Json> lines_;
};

TEST(TopologyReport, ComparesWhatAHeadChoosesWithEveryFixedTopology) {
  const PlayedTopologies all = played();
  const Report report(all, {knowing(all, 0.9)});
  EXPECT_EQ(report.lines().front().at("arm"), "statement corrected by knowing");
  EXPECT_EQ(report.lines().front().at("problems"), 40);
  EXPECT_EQ(report.right("best by knowing"), 1);
  EXPECT_EQ(report.right("statement corrected by knowing"), 1);
  EXPECT_EQ(report.right("as the model states"), 5.0 / 40);
  EXPECT_EQ(report.right("always 1x64"), 0.5);
  EXPECT_EQ(report.right("always 2x32"), 0.75);
  EXPECT_EQ(report.right("always 4x16"), 0);
  EXPECT_EQ(report.right("the best one in hindsight"), 0.75);
  EXPECT_NEAR(report.right("by chance"), (0.5 + 0.75) / 3, 1e-12);
  EXPECT_EQ(report.right("any is right"), 1);
  const Json gain = report.line("always 2x32").at("gain");
  EXPECT_EQ(gain.at("mean"), 0.25);
  EXPECT_GT(gain.at("low").get<double>(), 0.1);
  EXPECT_LT(gain.at("high").get<double>(), 0.5);
  EXPECT_EQ(report.line("any is right").at("gain").at("mean"), 0);
}

TEST(TopologyReport, AStatementStaysWithinTheMargin) {
  const PlayedTopologies all = played();
  const Report report(all, {knowing(all, 0.52)});  // log-odds of 0.08
  EXPECT_EQ(report.right("best by knowing"), 1);
  EXPECT_EQ(report.right("statement corrected by knowing"), report.right("as the model states"));
}

TEST(TopologyReport, WithoutStatementsTheBestIsWhatAHeadChooses) {
  PlayedTopologies all = played();
  std::fill(all.stated.begin(), all.stated.end(), 0);
  const Report report(all, {knowing(all, 0.9)});
  EXPECT_EQ(report.lines().front().at("arm"), "best by knowing");
  EXPECT_TRUE(report.line("as the model states").is_null());
}

TEST(TopologyReport, ComparesOnlyWhatSpendsTheSame) {
  PlayedTopologies all = played();
  const HeadArm arm = knowing(all, 0.9);
  const auto expected = report_choices(all, {arm});
  PlayedTopologies both = all;
  HeadArm of_both = arm;
  for (size_t row = 0; row < all.problems.size(); ++row) {
    both.problems.push_back(all.problems[row]);
    both.choices.push_back(all.choices[row] + 3);
    both.right.push_back(0);
    both.stated.push_back(0);
    of_both.probabilities.push_back(0.99);
  }
  both.names.insert(both.names.end(), {"1x128", "2x64", "4x32"});
  const auto lines = report_choices(both, {of_both});
  ASSERT_GT(lines.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(lines[i], expected[i]);
  EXPECT_EQ(lines.front().at("head"), "choice of 64 tokens");
  EXPECT_EQ(lines.back().at("head"), "choice of 128 tokens");
  EXPECT_EQ(lines.back().at("right").at("mean"), 0);
}

TEST(TopologyReport, LeavesOutProblemsThatLackATopology) {
  PlayedTopologies all = played();
  for (auto* const column : {&all.problems, &all.choices, &all.right, &all.stated})
    column->pop_back();
  EXPECT_EQ(Report(all, {knowing(all, 0.9)}).lines().front().at("problems"), 39);
  all = {{1, 1}, {0, 1}, {1, 0}, {0, 0}, {"1x64", "2x32", "4x16"}};
  EXPECT_TRUE(report_choices(all, {knowing(all, 0.9)}).empty());
}

}  // namespace
}  // namespace polyphon
