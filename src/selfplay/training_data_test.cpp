#include "data/training_data.h"

#include <algorithm>
#include <fstream>
#include <numeric>

#include "base/error.h"
#include "record/trace_example.h"
#include "record/trace_file.h"
#include "selfplay/selfplay_for_test.h"
#include "tasks/family.h"

namespace polyphon {
namespace {

class TrainingDataTest : public SelfPlayTest {
 protected:
  void SetUp() override {
    SelfPlayTest::SetUp();
    options_.problems = 24;
    play();
    data_.worked_below = 0;
    data_.worked_per_cell = 0;
  }
  std::vector<TrainingSequence> build(const std::string& digest = "digest") {
    counts_ = {};
    return build_training_data({folder_}, reasoner_->model(), digest,
                               reasoner_->options().strategies, held_out_, data_, counts_);
  }
  std::string text(const TrainingSequence& sequence, bool target) const {
    const Tokens& tokens = sequence.example.tokens;
    const auto first = tokens.begin() + sequence.example.targets.front().begin;
    const auto begin = target ? first : tokens.begin();
    const auto end = target ? tokens.end() : first;
    return reasoner_->model().vocabulary().detokenize({begin, end}, true);
  }
  // The verdict of the checker of the problem whose text stands in the prompt.
  bool right(const TrainingSequence& sequence) const {
    const std::string said = text(sequence, true), prompt = text(sequence, false);
    for (uint64_t seed : seeds())
      for (int difficulty = 1; difficulty <= 3; ++difficulty) {
        const Problem problem = make_problem(family(sequence.cell.family), difficulty, seed);
        if (prompt.find(problem.text) != std::string::npos)
          return is_right(problem, said.substr(0, said.find('<')));
      }
    ADD_FAILURE() << prompt;
    return false;
  }
  // The same for any question that can be parsed.
  bool solves_its_question(const TrainingSequence& sequence) const {
    const std::string said = text(sequence, true), prompt = text(sequence, false);
    const size_t begin = prompt.find("How many times");
    const std::string question = prompt.substr(begin, prompt.find('?', begin) + 1 - begin);
    const auto problem = proposed_problem(family("letter_counting"), 1, 1, question);
    EXPECT_TRUE(problem) << question;
    return problem && is_right(*problem, said.substr(0, said.find('<')));
  }
  static double weight(const TrainingSequence& sequence) {
    EXPECT_EQ(sequence.example.targets.size(), 1u);
    return sequence.example.targets.front().weight;
  }
  std::set<uint64_t> seeds() const {
    std::set<uint64_t> seeds;
    read_rollouts(folder_,
                  [&](const Trace&, const Outcome& outcome) { seeds.insert(outcome.seed); });
    return seeds;
  }

  DataOptions data_;
  DataCounts counts_;
};

TEST_F(TrainingDataTest, ASequenceIsPromptPreambleAndTheStreamsTokens) {
  for (const TrainingSequence& sequence : build()) {
    EXPECT_TRUE(text(sequence, false).starts_with("<|im_start|>user\nHow many"));
    EXPECT_NE(text(sequence, false).find("<|im_start|>assistant\n"), std::string::npos);
    EXPECT_TRUE(text(sequence, false).ends_with("\n")) << "ends with the preamble";
    EXPECT_TRUE(text(sequence, true).ends_with("<|im_end|>")) << text(sequence, true);
    EXPECT_NE(text(sequence, true).find("Answer: "), std::string::npos);
    EXPECT_TRUE(sequence.example.runs.empty()) << "must be a plain sequence";
    EXPECT_EQ(right(sequence), weight(sequence) > 0);
  }
}

TEST_F(TrainingDataTest, WeightsAreRewardsMinusTheirMean) {
  data_.rewards.failure_weight = 1;
  const auto sequences = build();
  EXPECT_NEAR(std::accumulate(sequences.begin(), sequences.end(), 0.0,
                              [](double sum, const auto& s) { return sum + weight(s); }),
              0, 1e-5);
  data_.rewards.failure_weight = 0.1;
  for (const TrainingSequence& sequence : build()) {
    EXPECT_GE(weight(sequence), -0.1001);
    EXPECT_NE(weight(sequence), 0) << "streams that are all right or all wrong teach nothing";
  }
  data_.rewards.failure_weight = 0;
  for (const TrainingSequence& sequence : build()) EXPECT_GT(weight(sequence), 0);
}

TEST_F(TrainingDataTest, RejectionSamplingLearnsAllRightStreams) {
  data_.rewards.method = RewardMethod::kRejection;
  data_.rewards.failure_weight = 0;
  int all = 0;
  read_rollouts(folder_,
                [&](const Trace&, const Outcome& outcome) { all += outcome.right_count(); });
  const auto sequences = build();
  EXPECT_EQ(static_cast<int>(sequences.size()), all);
  for (const TrainingSequence& sequence : sequences) {
    EXPECT_EQ(weight(sequence), 1);
    EXPECT_TRUE(right(sequence));
  }
  data_.most_per_cell = 2;
  EXPECT_LE(build().size(), 2 * counts_.cells.size());
}

TEST_F(TrainingDataTest, CellsWithLittleSuccessGetWorkedSolutions) {
  data_.most_per_cell = 0;  // only worked solutions
  data_.worked_below = 1.1;
  data_.worked_per_cell = 5;
  std::map<Cell, int> worked;
  for (const TrainingSequence& sequence : build()) {
    if (sequence.cell.family == "letter_counting") {
      EXPECT_TRUE(solves_its_question(sequence));
    }
    EXPECT_EQ(weight(sequence), 1);
    EXPECT_TRUE(text(sequence, true).ends_with("<|im_end|>"));
    ++worked[sequence.cell];
  }
  int hardest = 1;
  for (const auto& [cell, counts] : counts_.cells) {
    EXPECT_EQ(counts.worked, 5) << cell.family << cell.difficulty;
    EXPECT_EQ(worked[cell], 5) << cell.family << cell.difficulty;
    hardest = std::max(hardest, counts.problems > 0 ? cell.difficulty : 1);
  }
  EXPECT_TRUE(counts_.cells.contains({"counting", hardest + 1}) ||
              counts_.cells.contains({"letter_counting", hardest + 1}))
      << "the next difficulty gets worked solutions";
}

// The control keeps the amounts of everything, but breaks the connection to the problem.
TEST_F(TrainingDataTest, RandomRewardsKeepTheirNumberAndAreShuffled) {
  data_.rewards.method = RewardMethod::kRejection;
  data_.rewards.failure_weight = 0;
  const size_t winners = build().size();
  data_.random_rewards = true;
  const auto sequences = build();
  EXPECT_EQ(sequences.size(), winners);
  const auto still_right = std::count_if(sequences.begin(), sequences.end(),
                                         [&](const auto& sequence) { return right(sequence); });
  EXPECT_LT(static_cast<size_t>(still_right), winners);
}

TEST_F(TrainingDataTest, RandomRewardsShuffleWorkedSolutionsToo) {
  data_.most_per_cell = 0;
  data_.worked_below = 1.1;
  data_.worked_per_cell = 20;
  const size_t solutions = build().size();
  data_.random_rewards = true;
  const auto sequences = build();
  EXPECT_EQ(sequences.size(), solutions);
  int counted = 0, still_right = 0;
  for (const TrainingSequence& sequence : sequences) {
    if (sequence.cell.family != "letter_counting") continue;
    ++counted;
    still_right += solves_its_question(sequence) ? 1 : 0;
  }
  EXPECT_GE(counted, 20);
  EXPECT_LT(still_right, 0.8 * counted);
}

// A sequence that is too long for a batch is counted only as too long.
TEST_F(TrainingDataTest, WorkedSolutionsThatAreTooLongAreNotCounted) {
  data_.worked_below = 1.1;
  data_.worked_per_cell = 5;
  data_.most_tokens = 2;
  EXPECT_THROW(build(), Error);
  EXPECT_GT(counts_.too_long, 0);
  for (const auto& [cell, counts] : counts_.cells) EXPECT_EQ(counts.worked, 0);
}

TEST_F(TrainingDataTest, IsTheSameForTheSameSeed) {
  const auto weights_and_tokens = [&] {
    std::vector<std::pair<double, Tokens>> all;
    for (const TrainingSequence& s : build()) all.emplace_back(weight(s), s.example.tokens);
    return all;
  };
  const auto first = weights_and_tokens();
  EXPECT_EQ(weights_and_tokens(), first);
  data_.seed = 2;
  EXPECT_NE(weights_and_tokens(), first);
}

// Tokens that a search committed are in its branches' spans: the stream's own spans would have
// gaps.
TEST_F(TrainingDataTest, LeavesOutSessionsThatSearched) {
  const size_t before = build().size();
  std::optional<Trace> searched;
  read_rollouts(folder_, [&](const Trace& trace, const Outcome&) { searched = trace; });
  searched->outcome->trees = {{0, 0, {1}, {true}}};
  append_trace(traces_path(folder_), *searched);
  EXPECT_EQ(build().size(), before);
  EXPECT_EQ(counts_.searched, 1);
}

TEST_F(TrainingDataTest, RefusesFoldersWithNothingToLearn) {
  EXPECT_THROW(build("another model"), Error);
  EXPECT_EQ(counts_.foreign, 24);
  EXPECT_THROW(build_training_data({folder_ + "/none"}, reasoner_->model(), "digest",
                                   reasoner_->options().strategies, held_out_, data_, counts_),
               Error);
  EXPECT_THROW(write_training_data(folder_ + "/none/data.jsonl", "digest", build()), Error);
}

TEST_F(TrainingDataTest, IsWrittenInTheTrainersFormat) {
  data_.whole_sessions = true;
  data_.answers_per_cell = 5;
  const auto sequences = build();
  write_training_data(folder_ + "/data.jsonl", "digest", sequences);
  std::ifstream file(folder_ + "/data.jsonl");
  std::string line;
  std::getline(file, line);
  EXPECT_EQ(Json::parse(line).at(kExamplesModel), "digest");
  size_t lines = 0;
  for (; std::getline(file, line); ++lines) {
    const Example read = example_from_json(Json::parse(line));
    const Example& written = sequences.at(lines).example;
    EXPECT_EQ(read.tokens, written.tokens);
    EXPECT_EQ(read.targets, written.targets);
    EXPECT_EQ(read.runs, written.runs);
    EXPECT_EQ(read.summaries, written.summaries);
  }
  EXPECT_EQ(lines, sequences.size());
}

TEST_F(TrainingDataTest, LeavesOutATraceThatContradictsItself) {
  Trace broken;
  Outcome of_broken;
  read_rollouts(folder_, [&](const Trace& trace, const Outcome& outcome) {
    broken = trace;
    of_broken = outcome;
  });
  const size_t sequences = build().size();
  broken.id = "broken";
  broken.edits.back().step = 0;
  append_trace(traces_path(folder_), broken);
  EXPECT_EQ(build().size(), sequences);
  EXPECT_EQ(counts_.damaged, 1);
  EXPECT_NE(counts_.first_damage.find("traces.jsonl line 25: "), std::string::npos)
      << counts_.first_damage;
}

// The same tokens are learnt with the same weights, from fewer tokens.
TEST_F(TrainingDataTest, WholeSessionsShareTheirPrompt) {
  const auto learnt = [&](const std::vector<TrainingSequence>& sequences) {
    std::multiset<std::pair<float, Token>> all;
    for (const TrainingSequence& sequence : sequences)
      for (const TargetRange& range : sequence.example.targets)
        for (int i = range.begin; i < range.end; ++i)
          all.emplace(range.weight, sequence.example.tokens[static_cast<size_t>(i)]);
    return all;
  };
  const auto apart = build();
  const DataCounts counts_apart = counts_;
  data_.whole_sessions = true;
  const auto whole = build();
  EXPECT_EQ(learnt(whole), learnt(apart));
  EXPECT_LT(whole.size(), apart.size());
  EXPECT_LT(2 * counts_.tokens, counts_apart.tokens);
  EXPECT_EQ(counts_.target_tokens, counts_apart.target_tokens);
}

TEST_F(TrainingDataTest, WholeSessionsListTheRowsOfEachStream) {
  for (const TrainingSequence& sequence : build())
    EXPECT_EQ(sequence.example.summaries, StreamSummaries());
  data_.whole_sessions = true;
  const auto sequences = build();
  for (const TrainingSequence& sequence : sequences) {
    const Example& example = sequence.example;
    EXPECT_GT(example.summaries.weight, 0);
    EXPECT_LT(example.summaries.weight, 1)
        << "streams that are all right or all wrong teach nothing";
    std::set<int> learnt, summarised;
    for (const TargetRange& range : example.targets)
      for (int row = range.begin; row < range.end; ++row) learnt.insert(row);
    int rows = 0;
    for (const auto& stream : example.summaries.streams)
      for (const RowRange& range : stream)
        for (int row = range.begin; row < range.end; ++row, ++rows) summarised.insert(row);
    EXPECT_EQ(static_cast<int>(summarised.size()), rows) << "a row belongs to one stream";
    EXPECT_TRUE(std::includes(learnt.begin(), learnt.end(), summarised.begin(), summarised.end()));
    // The other targets are ends of turns, one per stream.
    EXPECT_LE(learnt.size(), summarised.size() + example.summaries.streams.size());
  }
}

TEST_F(TrainingDataTest, AnswersAreRightShortAndSeeAllStreams) {
  data_.most_per_cell = 0;
  data_.answers_per_cell = 100;
  const auto sequences = build();
  int minority = 0, majority = 0;
  for (const auto& [cell, counts] : counts_.cells) {
    minority += counts.minority;
    majority += counts.majority;
  }
  EXPECT_EQ(static_cast<int>(sequences.size()), minority + majority);
  EXPECT_GT(minority, 0);
  EXPECT_LE(majority, minority);
  for (const TrainingSequence& sequence : sequences) {
    const std::string said = text(sequence, true), before = text(sequence, false);
    EXPECT_TRUE(said.starts_with("Answer: ") && said.ends_with("<|im_end|>")) << said;
    EXPECT_LE(said.size(), 30u);
    EXPECT_TRUE(right(sequence)) << said;
    EXPECT_EQ(weight(sequence), 8);
    EXPECT_TRUE(before.ends_with("<|im_start|>assistant\n")) << before;
    EXPECT_NE(before.find("The attempts above"), std::string::npos);
    // The answer sees the prompt and all streams in one view; positions after the merge do not
    // repeat.
    const Example& example = sequence.example;
    const int first = example.targets.front().begin;
    EXPECT_EQ(visibility_of(example).row(first).count(), first + 1);
    const auto positions = positions_of(example);
    EXPECT_EQ(positions[static_cast<size_t>(first)],
              *std::max_element(positions.begin(), positions.begin() + first) + 1);
  }
  data_.answers_per_cell = 1;
  EXPECT_LE(build().size(), 2 * counts_.cells.size());
}

TEST_F(TrainingDataTest, LeavesOutSequencesLongerThanABatch) {
  data_.whole_sessions = true;
  const size_t sequences = build().size();
  data_.most_tokens = counts_.longest - 1;
  const size_t left = build().size();
  EXPECT_LT(left, sequences);
  EXPECT_EQ(left + static_cast<size_t>(counts_.too_long), sequences);
  EXPECT_LE(counts_.longest, data_.most_tokens);
}

TEST_F(TrainingDataTest, RandomRewardsShuffleAnswersToo) {
  data_.most_per_cell = 0;
  data_.answers_per_cell = 100;
  const auto answers = [&] {
    std::multiset<std::string> all;
    for (const TrainingSequence& sequence : build()) all.insert(text(sequence, true));
    return all;
  };
  const auto right_ones = answers();
  data_.random_rewards = true;
  EXPECT_EQ(answers().size(), right_ones.size());
  const auto sequences = build();
  EXPECT_LT(std::count_if(sequences.begin(), sequences.end(),
                          [&](const TrainingSequence& sequence) { return right(sequence); }),
            static_cast<std::ptrdiff_t>(sequences.size()));
}

TEST_F(PromotingSelfPlayTest, WholeSessionsHoldTheRowsAndEffectsOfPromotions) {
  options_.problems = 12;
  play();
  std::multiset<float> effects;
  read_rollouts(folder_, [&](const Trace&, const Outcome& outcome) {
    for (const Counterfactual& without : outcome.counterfactuals)
      effects.insert(static_cast<float>(effect_of(outcome, without)));
  });
  effects.erase(0.0f);
  ASSERT_FALSE(effects.empty());

  DataOptions data;
  data.whole_sessions = true;
  data.worked_per_cell = 0;
  data.most_tokens = 1 << 16;
  DataCounts counts;
  int brought = 0, alone = 0;
  const auto learnt_effects = [&] {
    counts = {};
    brought = alone = 0;
    std::multiset<float> learnt;
    for (const TrainingSequence& sequence :
         build_training_data({folder_}, reasoner_->model(), "digest",
                             reasoner_->options().strategies, held_out_, data, counts)) {
      const Example& example = sequence.example;
      EXPECT_EQ(example_from_json(to_json(example)).promotions, example.promotions);
      for (const ExamplePromotion& promotion : example.promotions)
        if (promotion.effect != 0) learnt.insert(promotion.effect);
      for (const RowRun& run : example.runs) brought += static_cast<int>(run.brought.size());
      alone += example.targets.empty() ? 1 : 0;
    }
    return learnt;
  };
  EXPECT_EQ(learnt_effects(), effects);
  EXPECT_EQ(counts.effects, static_cast<int>(effects.size()));
  EXPECT_GT(brought, 0);
  data.rewards.method = RewardMethod::kRejection;
  data.most_per_cell = 0;
  EXPECT_EQ(learnt_effects(), effects) << "also from sessions whose streams teach nothing";
  EXPECT_GT(alone, 0);
  data.random_rewards = true;
  EXPECT_EQ(learnt_effects(), effects) << "shuffled, but as many";
  data.random_rewards = data.whole_sessions = false;
  data.worked_below = 1.1;
  data.worked_per_cell = 1;  // so that there is something to learn even if nothing was right
  EXPECT_TRUE(learnt_effects().empty());
  EXPECT_EQ(brought, 0);
}

using parity = TrainingDataTest;  // NOLINT(readability-identifier-naming): what ctest calls them

// The learnt answer has the positions and visibility of the engine's own answer.
TEST_F(parity, OfALearntAnswerAndTheEnginesAnswer) {
  const Problem problem = make_problem(family("counting"), 1, 5);
  ThinkInput input = self_play_input(problem, options_, 0);
  input.max_answer_tokens = 40;
  SessionTicket ticket = reasoner_->think(input, {});
  Trace trace = *wait_finished(ticket).trace;
  const auto span = [&](const std::string& owner) {
    const auto found =
        std::find_if(trace.spans.begin(), trace.spans.end(),
                     [&](const TraceSpan& s) { return to_string(s.owner) == owner; });
    return found - trace.spans.begin();
  };
  TraceSpan& answer = trace.spans.at(static_cast<size_t>(span("answer")));
  ASSERT_GT(answer.tokens.size(), 5u);
  TraceExample said(trace);
  said.learn(answer.id, 1);

  const Tokens tokens = answer.tokens;
  answer.tokens.clear();
  answer.steps.clear();
  answer.logprobs.clear();
  TraceExample learnt(trace);
  learnt.learn_after(static_cast<int>(span("merge")), tokens, 1);

  const Example expected = said.example(), found = learnt.example();
  EXPECT_EQ(found.tokens, expected.tokens);
  EXPECT_EQ(positions_of(found), positions_of(expected));
  const Visibility sees = visibility_of(found), should_see = visibility_of(expected);
  for (int row = 0; row < found.rows(); ++row) EXPECT_EQ(sees.row(row), should_see.row(row));
  ASSERT_EQ(found.targets.size(), 1u);
  ASSERT_EQ(expected.targets.size(), 1u);
  EXPECT_EQ(found.targets[0].begin, expected.targets[0].begin);
  EXPECT_EQ(found.targets[0].from, found.targets[0].begin - 1);
}

}  // namespace
}  // namespace polyphon
