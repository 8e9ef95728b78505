#include "selfplay/topology_play.h"

#include "record/codec.h"
#include "selfplay/selfplay_for_test.h"
#include "tasks/family.h"

namespace polyphon {
namespace {

std::vector<std::string> names_of(const std::vector<std::string>& asked, int budget) {
  return parse_topology_play(asked, budget, PlanCaps{}).names();
}

TEST(TopologyPlay, PlaysWhatIsNamed) {
  const std::vector<std::string> names = {"1x64", "2x16>1x32", "auto"};
  EXPECT_EQ(names_of(names, 64), names);
  EXPECT_EQ(names_of({"all"}, 64), (std::vector<std::string>{"1x64", "2x32", "auto"}));
}

TEST(TopologyPlay, RefusesWhatCannotBeCompared) {
  const auto why = [](const std::vector<std::string>& names) {
    return refusal([&] { names_of(names, 64); });
  };
  EXPECT_NE(why({"1x64", "8x16"}).find("8x16 spends 128 tokens, not 64"), std::string::npos);
  EXPECT_NE(why({"1x64", "2x32", "1x64"}).find("1x64 is listed twice"), std::string::npos);
  EXPECT_NE(why({"1x64", "auto"}).find("at least two topologies other than auto"),
            std::string::npos);
  EXPECT_NE(why({"1x64", "chess"}), "");
  EXPECT_NE(refusal([] { names_of({"all"}, 500); }).find("tokens, not 500"), std::string::npos);
}

class TopologyPlayTest : public SelfPlayTest {
 protected:
  TopologyPlayTest() {
    options_.topologies = parse_topology_play({"1x64", "4x16", "2x16>1x32"}, 64, PlanCaps{});
    options_.problems = 8;
  }
  void plan_over(int budget_tokens) {
    ReasonOptions options;
    options.caps.auto_budget_tokens = budget_tokens;
    reason_with(options);
    options_.topologies = parse_topology_play({"1x64", "2x32", "auto"}, 64, PlanCaps{});
  }
};

TEST_F(TopologyPlayTest, EveryProblemIsPlayedWithEachAndItsAnswerChecked) {
  const SelfPlayReport report = play();
  EXPECT_EQ(report.problems, 8);
  EXPECT_EQ(report.answers, 3 * 8);
  std::map<std::string, std::vector<std::string>> played;  // by text of the problem
  int right = 0;
  std::set<uint64_t> seeds;
  read_rollouts(folder_, [&](const Trace& trace, const Outcome& outcome) {
    ASSERT_TRUE(outcome.answer_right.has_value());
    EXPECT_EQ(*outcome.answer_right, is_right(problem_of(outcome), trace.result.answer));
    EXPECT_EQ(trace.request.merge, MergeMode::kVote);
    EXPECT_EQ(outcome.right.size(), trace.result.streams.size());
    played[problem_of(outcome).text].push_back(trace.result.topology.to_string());
    right += *outcome.answer_right ? 1 : 0;
    seeds.insert(trace.seed);
  });
  EXPECT_EQ(played.size(), 8u);
  EXPECT_EQ(seeds.size(), 24u) << "each session has its own seed";
  for (const auto& [text, names] : played) EXPECT_EQ(names, options_.topologies.names());
  // A cell counts answers as its attempts.
  int answers = 0, of_cells = 0;
  for (const auto& [cell, counts] : report.cells) {
    answers += counts.streams;
    of_cells += counts.right;
  }
  EXPECT_EQ(answers, 24);
  EXPECT_EQ(of_cells, right);
  EXPECT_GT(right, 0);
  EXPECT_LT(right, 24);
}

TEST_F(TopologyPlayTest, ContinuesAndCountsProblems) {
  options_.problems = 3;
  const SelfPlayReport first = play();
  options_.problems = 5;
  const SelfPlayReport report = play();
  EXPECT_EQ(report.resumed, 3);
  EXPECT_EQ(report.problems, 2);
  int problems = 0;
  for (const auto& [cell, counts] : report.cells) problems += counts.problems;
  EXPECT_EQ(problems, 5) << "problems of earlier runs are counted too";
  EXPECT_EQ(read_rollouts(folder_, [](const Trace&, const Outcome&) {}).traces, 15);
  options_.topologies.choices.pop_back();
  EXPECT_NE(refusal([&] { play(); }).find("its topologies is"), std::string::npos);
}

TEST_F(TopologyPlayTest, AStopKeepsOnlyCompleteProblems) {
  options_.problems = 1000;
  on_session_ = [&](const SelfPlayReport& report) { stop_ = report.problems >= 2; };
  const SelfPlayReport report = play();
  EXPECT_EQ(read_rollouts(folder_, [](const Trace&, const Outcome&) {}).traces,
            3 * report.problems);
}

TEST_F(TopologyPlayTest, TheModelStatesItsOwn) {
  plan_over(64);
  options_.problems = 2;
  play();
  int planned = 0;
  read_rollouts(folder_, [&](const Trace& trace, const Outcome& outcome) {
    EXPECT_TRUE(outcome.answer_right.has_value());
    if (!trace.request.topology.is_auto()) return;
    ++planned;
    EXPECT_EQ(to_json(trace.decisions.at(0))["kind"], "plan");
  });
  EXPECT_EQ(planned, 2);
}

TEST_F(TopologyPlayTest, APlayerThatPlansWithAnotherBudgetIsDroppedByName) {
  plan_over(128);
  const std::string why = refusal([&] { play(); });
  EXPECT_NE(why.find("auto plans with 128 tokens, not 64"), std::string::npos) << why;
  EXPECT_EQ(dropped_.size(), 1u);
}

}  // namespace
}  // namespace polyphon
