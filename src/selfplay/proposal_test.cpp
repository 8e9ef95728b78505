#include "selfplay/proposal.h"

#include <fmt/format.h>

#include "base/error.h"
#include "core/seeds.h"
#include "data/answer_pool.h"
#include "data/training_data.h"
#include "model/real_model_for_test.h"
#include "record/codec.h"
#include "selfplay/selfplay_for_test.h"
#include "tasks/question_parts.h"

namespace polyphon {
namespace {

std::string letter_question(const std::string& words) {
  return "How many times does the letter \"a\" occur in \"" + words + "\"?";
}

// What the fake model proposes after a list of questions, at random: an unfinished question, one of
// the list, a held-out one, one without a solution, or a good one.
std::string proposal_after(const std::string& list) {
  uint64_t chance = 0;
  for (const char c : list) chance = mix_bits(chance ^ static_cast<uint64_t>(c));
  Random random(chance);
  const bool equation = list.starts_with("Solve");
  switch (between(random, 0, 7)) {
    case 0:
      return equation ? "Solve for x: 2x +" : letter_question("xyz").substr(0, 40);
    case 1:
      return list.substr(0, list.find('\n'));
    case 2:
      return equation ? "Solve for x: 2x + 1 = 4." : letter_question("abba");
    default:
      break;
  }
  if (equation) return fmt::format("Solve for x: 7x + {} = 7.", 7 * between(random, 0, 20));
  std::string word;
  for (int i = 0; i < 5; ++i) word += static_cast<char>('a' + between(random, 0, 3));
  return letter_question(word);
}

void propose_or_answer(const FakeRow& row, std::span<float> logits) {
  if (row.visible.front() == FakeTokens::kTurnStart) return state_an_answer(row, logits);
  const std::string seen(row.visible.begin(), row.visible.end());
  const size_t line = seen.rfind('\n') + 1, written = seen.size() - line;
  const std::string question = proposal_after(seen.substr(0, line));
  const Token next = written < question.size() ? question[written] : FakeTokens::kEnd;
  logits[static_cast<size_t>(next)] = 50;
}

class ProposalTest : public SelfPlayTest {
 protected:
  ProposalTest() : SelfPlayTest(propose_or_answer) {
    options_.families = {"letter_counting", "linear_equation"};
    options_.proposed_share = 0.5;
    options_.problems = 60;
    options_.parallel = 1;  // proposals depend on the order in which sessions end
    held_out_ = {proposed_problem(family("letter_counting"), 1, 0, letter_question("abba"))->text};
  }
  std::vector<Outcome> played() const {
    std::vector<Outcome> outcomes;
    read_rollouts(folder_,
                  [&](const Trace&, const Outcome& outcome) { outcomes.push_back(outcome); });
    return outcomes;
  }
};

TEST_F(ProposalTest, UsableProposalsArePlayedAndTheRestIsCountedByReason) {
  const SelfPlayReport report = play();
  const ProposalCounts& counts = report.proposals;
  EXPECT_GT(counts.malformed, 0);
  EXPECT_GT(counts.unsolvable, 0);
  EXPECT_GT(counts.held_out, 0);
  EXPECT_GT(counts.seen, 0);
  EXPECT_EQ(to_json(report).at("proposals").at("asked"), counts.asked());

  std::set<std::string> texts;
  std::map<Cell, CellCounts> proposed, generated;
  read_rollouts(folder_, [&](const Trace& trace, const Outcome& outcome) {
    const Problem problem = problem_of(outcome);
    EXPECT_FALSE(held_out_.contains(problem.text));
    EXPECT_TRUE(texts.insert(problem.text).second) << problem.text;
    EXPECT_LT(outcome.seed, seeds::kFirstSuiteSeed);
    const Tokens& prompt = trace.request.prompt;
    EXPECT_NE(reasoner_->model().vocabulary().detokenize(prompt, true).find(problem.text),
              std::string::npos);
    for (size_t i = 0; i < outcome.right.size(); ++i)
      EXPECT_EQ(outcome.right[i], is_right(problem, trace.result.streams.at(i).text));
    auto& cells = outcome.is_proposed() ? proposed : generated;
    cells[outcome.cell].add_problem(static_cast<int>(outcome.right.size()), outcome.right_count());
    EXPECT_EQ(outcome.is_proposed() ? question_of(problem) : "", outcome.proposed);
  });
  int64_t taken = 0;
  for (const auto& [cell, of] : proposed) taken += of.problems;
  EXPECT_EQ(counts.taken, taken);
  EXPECT_GT(taken, 10);
  EXPECT_LT(taken, 50);
  // Counted separately, so that proposals do not change the difficulty.
  ASSERT_EQ(report.cells.size(), generated.size());
  for (const auto& [cell, of] : report.cells) EXPECT_EQ(of.right, generated[cell].right);
  ASSERT_EQ(report.proposed.size(), proposed.size());
  for (const auto& [cell, of] : report.proposed) EXPECT_EQ(of.mixed, proposed[cell].mixed);
}

TEST_F(ProposalTest, AResumedRunKnowsEarlierProposals) {
  options_.proposed_share = 1;
  options_.problems = 20;
  play();
  options_.problems = 40;
  const SelfPlayReport report = play();
  EXPECT_EQ(report.resumed, 20);
  std::set<std::string> texts;
  int proposed = 0, counted = 0;
  for (const Outcome& outcome : played()) {
    texts.insert(problem_of(outcome).text);
    proposed += outcome.is_proposed() ? 1 : 0;
  }
  EXPECT_EQ(texts.size(), 40u) << "no problem is played twice";
  for (const auto& [cell, of] : report.proposed) counted += of.problems;
  EXPECT_EQ(counted, proposed);
  options_.proposed_share = 0;
  try {
    play();
    FAIL() << "a run with other settings was not refused";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("its proposed_share is 1.0, not null"),
              std::string::npos)
        << error.what();
  }
}

TEST_F(ProposalTest, NeedsAFamilyOfWhichProblemsAreProposed) {
  options_.families = {"counting"};
  try {
    play();
    FAIL() << "a family without a grammar was not refused";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("chain_sum, gcd, letter_counting, linear_equation"),
              std::string::npos)
        << error.what();
  }
}

TEST_F(ProposalTest, IsLearntIfSomeStreamsWereRightAndSomeWrong) {
  play();
  int expected = 0, one_sided = 0, proposed = 0;
  for (const Outcome& outcome : played()) {
    const bool left_out = outcome.is_proposed() && !outcome.is_mixed();
    one_sided += left_out ? 1 : 0;
    proposed += outcome.is_proposed() && !left_out ? 1 : 0;
    expected += left_out ? 0 : outcome.right_count();
  }
  ASSERT_GT(one_sided, 0);
  ASSERT_GT(proposed, 0);
  DataOptions data;
  data.rewards.method = RewardMethod::kRejection;
  data.rewards.failure_weight = 0;
  data.worked_below = 0;
  data.worked_per_cell = 0;
  DataCounts counts;
  const auto sequences =
      build_training_data({folder_}, reasoner_->model(), "digest", reasoner_->options().strategies,
                          held_out_, data, counts);
  EXPECT_EQ(static_cast<int>(sequences.size()), expected);
  EXPECT_EQ(counts.one_sided, one_sided);
  EXPECT_EQ(counts.proposed, proposed);
}

TEST_F(ProposalTest, GivesPoolsTheirRightAnswer) {
  play();
  int pools = 0;
  read_rollouts(folder_, [&](const Trace& trace, const Outcome& outcome) {
    if (!outcome.is_proposed()) return;
    const auto pool = answer_pool_of(trace, outcome);
    ASSERT_EQ(pool.has_value(), outcome.right_count() > 0);
    if (!pool) return;
    ++pools;
    EXPECT_TRUE(is_right(problem_of(outcome), answer_text(pool->answer)));
  });
  EXPECT_GT(pools, 0);
}

TEST(Outcomes, AnInvalidProposedQuestionIsNamed) {
  Outcome outcome;
  outcome.cell = {"chain_sum", 1};
  outcome.proposed = "What is 4 + 5?";
  EXPECT_EQ(problem_of(outcome).solution, "9");
  EXPECT_EQ(outcome_from_json(to_json(outcome)).proposed, outcome.proposed);
  outcome.proposed = "What is 4 +";
  try {
    problem_of(outcome);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "not a question of the family chain_sum: What is 4 +");
  }
}

// Each grammar allows the questions of its family's generator.
TEST(ProposalRealModel, GrammarsAllowTheGeneratorsQuestions) {
  for (const Family& each : families()) {
    if (!each.questions) continue;
    const int hardest = each.name == std::string("linear_equation") ? 6 : Problem::kMaxDifficulty;
    for (int difficulty = 1; difficulty <= hardest; ++difficulty)
      for (uint64_t seed = 0; seed < 10; ++seed) {
        GrammarSpec spec;
        spec.gbnf = each.questions;
        const auto grammar = real_model().make_grammar(spec);
        const std::string question = question_of(make_problem(each, difficulty, seed));
        bool allowed = true;
        for (const Token token : real_model().vocabulary().tokenize(question, false, false)) {
          allowed = allowed && grammar->allows(token);
          grammar->accept(token);
        }
        EXPECT_TRUE(allowed) << question;
        EXPECT_TRUE(
            grammar->allows(real_model().vocabulary().tokenize("<|im_end|>", true, false).front()))
            << question;
      }
  }
}

TEST(ProposalRealModel, ProposesQuestionsOfTheForm) {
  constexpr int kEach = 6;
  const SteadyClock clock;
  auto model = load_language_model({.path = real_model_path()});
  EngineOptions options;
  options.max_cached_prefixes = 0;  // so that a prompt is always decoded in the same way
  auto engine = std::make_unique<Engine>(
      model->make_decoder({.context_cells = 1024, .max_sequences = 8}), options, clock);
  Reasoner reasoner(std::move(model), std::move(engine), {}, {"v1", "digest", "hash"});
  ReasonerPlayer player(reasoner);
  const std::atomic<bool> stop = false;
  ProblemSource source(1, {});
  ProposalCounts counts;
  for (const Family& each : families()) {
    if (!each.questions) continue;
    std::set<std::string> questions;
    for (uint64_t seed = 0; seed < kEach; ++seed) {
      const auto examples = source.examples({each.name, 1}, 5, seed);
      ASSERT_EQ(examples.size(), 5u);
      const auto propose = [&] {
        return player.go_on(proposal_request(each, examples, seed), {}, {stop});
      };
      const std::string question = propose();
      questions.insert(question);
      take_proposal(question, each, 1, seed, examples, source, counts);
      EXPECT_EQ(question, seed > 0 ? question : propose());
    }
    EXPECT_GE(questions.size(), 3u) << each.name;
  }
  EXPECT_EQ(counts.malformed, 0);
  EXPECT_GT(counts.taken, 2 * kEach);
}

}  // namespace
}  // namespace polyphon
