#include "selfplay/selfplay.h"

#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "base/error.h"
#include "core/seeds.h"
#include "record/trace_file.h"
#include "selfplay/selfplay_for_test.h"
#include "tasks/family.h"

namespace polyphon {
namespace {

TEST_F(SelfPlayTest, KeepsTracesWithTheCheckersVerdict) {
  const SelfPlayReport report = play();
  EXPECT_EQ(report.problems, 12);
  std::map<Cell, CellCounts> cells;
  const RolloutCounts read =
      read_rollouts(folder_, [&](const Trace& trace, const Outcome& outcome) {
        const Cell& cell = outcome.cell;
        const Problem problem = make_problem(family(cell.family), cell.difficulty, outcome.seed);
        EXPECT_LT(outcome.seed, seeds::kFirstSuiteSeed);
        ASSERT_EQ(outcome.right.size(), 8u);
        for (size_t i = 0; i < 8; ++i)
          EXPECT_EQ(outcome.right[i], is_right(problem, trace.result.streams.at(i).text));
        ++cells[cell].problems;
        cells[cell].right += outcome.right_count();
      });
  EXPECT_EQ(read.traces, 12);
  EXPECT_EQ(read.damaged, 0);
  int right = 0;
  for (const auto& [cell, counts] : report.cells) {
    EXPECT_EQ(counts.problems, cells[cell].problems);
    EXPECT_EQ(counts.right, cells[cell].right);
    right += counts.right;
  }
  EXPECT_GT(right, 0);
  EXPECT_LT(right, 12 * 8);
}

TEST_F(SelfPlayTest, NeverPlaysHeldOutProblems) {
  const Cell cell{"products", 1};
  std::set<std::string> held_out;
  for (uint64_t seed = 0; seed < 40; ++seed)
    held_out.insert(make_problem(family("products"), 1, seeds::kFirstSuiteSeed + seed).text);
  ProblemSource source(3, held_out);
  std::set<std::string> texts;
  for (int i = 0; i < 300; ++i) {
    const Problem problem = source.next(cell);
    EXPECT_FALSE(held_out.contains(problem.text));
    texts.insert(problem.text);
  }
  EXPECT_GT(source.held_out_skipped(), 0);
  EXPECT_EQ(texts.size() + held_out.size(), 81u) << "all other problems come before repetitions";
}

TEST_F(SelfPlayTest, ContinuesWhereItStopped) {
  options_.problems = 5;
  play();
  options_.problems = 9;
  const SelfPlayReport report = play();
  EXPECT_EQ(report.resumed, 5);
  EXPECT_EQ(report.problems, 4);
  std::set<std::string> texts;
  read_rollouts(folder_, [&](const Trace&, const Outcome& outcome) {
    const Cell& cell = outcome.cell;
    texts.insert(make_problem(family(cell.family), cell.difficulty, outcome.seed).text);
  });
  EXPECT_EQ(texts.size(), 9u) << "no problem is played twice";
}

TEST_F(SelfPlayTest, ContinuesAfterAKill) {
  options_.problems = 4;
  play();
  std::ofstream(traces_path(folder_), std::ios::app) << "rubbish\n{\"format\": 1, \"id\": \"cu";
  options_.problems = 6;
  const SelfPlayReport report = play();
  EXPECT_EQ(report.resumed, 4);
  EXPECT_EQ(report.found.damaged, 1) << "the unfinished line is gone";
  EXPECT_NE(report.found.first_damage.find("traces.jsonl line 5: "), std::string::npos)
      << report.found.first_damage;
  EXPECT_EQ(read_rollouts(folder_, [](const Trace&, const Outcome&) {}).traces, 6);
}

TEST_F(SelfPlayTest, ALineWithAnUnknownProblemIsDamaged) {
  options_.problems = 2;
  play();
  Trace last;
  read_rollouts(folder_, [&](const Trace& trace, const Outcome&) { last = trace; });
  last.outcome->cell.family = "chess";
  append_trace(traces_path(folder_), last);
  options_.problems = 3;
  const SelfPlayReport report = play();
  EXPECT_EQ(report.resumed, 2);
  EXPECT_EQ(report.problems, 1);
  EXPECT_EQ(report.found.damaged, 1);
  EXPECT_NE(report.found.first_damage.find("line 3: "), std::string::npos);
}

TEST_F(SelfPlayTest, RefusesAFolderOfSomethingElse) {
  std::filesystem::create_directories(folder_);
  std::ofstream(folder_ + "/letter.txt") << "Dear";
  EXPECT_NE(refusal([&] { play(); }).find("is not empty"), std::string::npos);
  std::ofstream(folder_ + "/selfplay.json") << "[1";
  EXPECT_NE(refusal([&] { play(); }).find("is not a self-play header"), std::string::npos);
  std::filesystem::remove_all(folder_);
  play();
  options_.seed = 7;
  EXPECT_NE(refusal([&] { play(); }).find("its seed is 1, not 7"), std::string::npos);
}

// A file size limit stands for a full disk.
TEST_F(SelfPlayTest, ReportsThatATraceCannotBeWritten) {
  options_.problems = 2;
  play();
  const auto size = std::filesystem::file_size(traces_path(folder_));
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit tight = before;
  tight.rlim_cur = size + 100;
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &tight);
  options_.problems = 4;
  const std::string why = refusal([&] { play(); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, ignored);
  EXPECT_NE(why.find("not written whole"), std::string::npos) << why;
  EXPECT_EQ(std::filesystem::file_size(traces_path(folder_)), size) << "no unfinished line is left";
  EXPECT_EQ(play().resumed, 2);
}

TEST_F(SelfPlayTest, StopsWhenAsked) {
  options_.problems = 1000;
  on_session_ = [&](const SelfPlayReport& report) { stop_ = report.problems >= 2; };
  const SelfPlayReport report = play();
  EXPECT_GE(report.problems, 2);
  EXPECT_LE(report.problems, 2 + options_.parallel);
}

TEST_F(SelfPlayTest, EndsWhenEveryFamilyRests) {
  options_.families = {"string_transform"};  // no answer of this family is a digit
  options_.problems = 1000;
  const SelfPlayReport report = play();
  EXPECT_LT(report.problems, 32);
  ASSERT_EQ(report.cold.size(), 1u);
  EXPECT_EQ(report.cold[0], (Cell{"string_transform", 1}));
  EXPECT_EQ(to_json(report).at("cells")[0].at("success"), 0);
}

class CounterfactualTest : public PromotingSelfPlayTest {
 protected:
  static std::vector<bool> right_of(const Trace& trace, const Outcome& outcome) {
    const Cell& cell = outcome.cell;
    const Problem problem = make_problem(family(cell.family), cell.difficulty, outcome.seed);
    std::vector<bool> right;
    for (const StreamResult& stream : trace.result.streams)
      right.push_back(is_right(problem, stream.text));
    return right;
  }
};

TEST_F(CounterfactualTest, SessionsAreRunAgainWithoutEachOfTheirPromotions) {
  options_.problems = 6;
  const SelfPlayReport report = play();
  EXPECT_GT(report.promotions, 6);
  EXPECT_EQ(report.counterfactuals, report.promotions);
  std::set<double> thresholds;
  int changed = 0;
  read_rollouts(folder_, [&](const Trace& trace, const Outcome& outcome) {
    thresholds.insert(trace.request.workspace.gate_threshold);
    const std::vector<Broadcast>& promotions = trace.result.workspace;
    ASSERT_EQ(outcome.counterfactuals.size(), promotions.size());
    for (size_t i = 0; i < promotions.size(); ++i) {
      const Counterfactual& without = outcome.counterfactuals[i];
      EXPECT_EQ(without.promotion, promotions[i].promotion);
      EXPECT_TRUE(without.same_before);
      SessionTicket ticket = reasoner_->replay(trace, {}, without.promotion);
      EXPECT_EQ(without.right, right_of(*wait_finished(ticket).trace, outcome));
      changed += without.right != outcome.right;
    }
  });
  EXPECT_EQ(thresholds.size(), 6u);
  EXPECT_LE(*thresholds.rbegin(), options_.counterfactuals.most_threshold);
  EXPECT_GT(changed, 0) << "the answer depends on what a stream sees";
}

TEST_F(CounterfactualTest, OnlyTheRequestedShareIsRunAgain) {
  options_.problems = 6;
  options_.counterfactuals.share = 0.3;
  const SelfPlayReport report = play();
  EXPECT_GT(report.counterfactuals, 0);
  EXPECT_LT(report.counterfactuals, report.promotions);
}

TEST_F(CounterfactualTest, AFolderOfPlainSessionsIsAnotherRun) {
  options_.problems = 2;
  play();
  options_.counterfactuals.registers = 0;
  EXPECT_NE(refusal([&] { play(); }).find("its workspace is"), std::string::npos);
}

// Writes three lines of random length before it states an answer.
void think_lines(const FakeRow& row, std::span<float> logits) {
  const std::string seen(row.visible.begin(), row.visible.end());
  int lines = 0;
  for (size_t at = 0; (at = seen.find("ab.", at)) != std::string::npos; ++at) ++lines;
  if (lines >= 3) return state_an_answer(row, logits);
  if (seen.ends_with("ab."))
    logits['\n'] = 50;
  else if (seen.ends_with("a"))
    logits['a'] = logits['b'] = 50;
  else
    logits[seen.ends_with("b") ? '.' : 'a'] = 50;
}

class SearchedPlayTest : public SelfPlayTest {
 protected:
  SearchedPlayTest() : SelfPlayTest(think_lines) {
    options_.streams = 2;
    options_.tokens = 64;
    options_.problems = 6;
    options_.search.mode = SearchMode::kAlways;
    options_.search.simulations = 6;
    options_.search.depth = 2;
  }
};

TEST_F(SearchedPlayTest, EveryStateOfATreeHasAnOutcome) {
  const SelfPlayReport report = play();
  int64_t searches = 0, states = 0;
  std::set<bool> outcomes;
  read_rollouts(folder_, [&](const Trace& trace, const Outcome& outcome) {
    const std::vector<SearchResult>& of_trace = trace.result.search.value().searches;
    ASSERT_EQ(outcome.trees.size(), of_trace.size());
    searches += static_cast<int64_t>(of_trace.size());
    for (size_t i = 0; i < of_trace.size(); ++i) {
      size_t kept = 0;
      for (const SearchNode& node : of_trace[i].tree) kept += node.id != 0 && !node.same_as;
      EXPECT_EQ(outcome.trees[i].nodes.size(), kept);
      outcomes.insert(outcome.trees[i].right.begin(), outcome.trees[i].right.end());
      states += static_cast<int64_t>(kept);
    }
  });
  EXPECT_EQ(report.searches, searches);
  EXPECT_EQ(report.labelled_states, states);
  EXPECT_GT(states, 12);
  EXPECT_EQ(outcomes.size(), 2u) << "some states are right, some wrong";

  options_.search.depth = 3;
  EXPECT_NE(refusal([&] { play(); }).find("its search is"), std::string::npos);
}

TEST_F(SelfPlayTest, NeedsSuitesToHoldOut) {
  EXPECT_NE(refusal([&] { held_out_texts(folder_); }).find("no suites at"), std::string::npos);
}

}  // namespace
}  // namespace polyphon
