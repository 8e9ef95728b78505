#include "pipeline/training_data.h"

#include <algorithm>
#include <fstream>
#include <numeric>

#include "base/error.h"
#include "pipeline/selfplay_for_test.h"
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
    const auto begin = sequence.tokens.begin() + (target ? sequence.begin : 0);
    const auto end = target ? sequence.tokens.end() : sequence.tokens.begin() + sequence.begin;
    return reasoner_->model().vocabulary().detokenize({begin, end}, true);
  }
  // What its own problem's checker says: the problem's text stands in the prompt.
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
  std::set<uint64_t> seeds() const {
    std::set<uint64_t> seeds;
    read_rollouts(folder_,
                  [&](const Trace&, const Outcome& outcome) { seeds.insert(outcome.seed); });
    return seeds;
  }

  DataOptions data_;
  DataCounts counts_;
};

TEST_F(TrainingDataTest, ASequenceIsPromptPreambleAndWhatTheStreamSaid) {
  for (const TrainingSequence& sequence : build()) {
    EXPECT_TRUE(text(sequence, false).starts_with("<|im_start|>user\nHow many"));
    EXPECT_NE(text(sequence, false).find("<|im_start|>assistant\n"), std::string::npos);
    EXPECT_TRUE(text(sequence, false).ends_with("\n")) << "its preamble";
    EXPECT_TRUE(text(sequence, true).ends_with("<|im_end|>")) << text(sequence, true);
    EXPECT_NE(text(sequence, true).find("Answer: "), std::string::npos);
    EXPECT_EQ(right(sequence), sequence.weight > 0);
  }
}

TEST_F(TrainingDataTest, WeightsAreRewardsLessTheirMean) {
  data_.failure_weight = 1;
  const auto sequences = build();
  EXPECT_NEAR(std::accumulate(sequences.begin(), sequences.end(), 0.0,
                              [](double sum, const auto& s) { return sum + s.weight; }),
              0, 1e-9);
  data_.failure_weight = 0.1;
  for (const TrainingSequence& sequence : build()) {
    EXPECT_GE(sequence.weight, -0.1);
    EXPECT_NE(sequence.weight, 0) << "all right or all wrong: no signal";
  }
  data_.failure_weight = 0;
  for (const TrainingSequence& sequence : build()) EXPECT_GT(sequence.weight, 0);
}

TEST_F(TrainingDataTest, WinnersOnlyAreAllThatIsRight) {
  data_.winners_only = true;
  data_.failure_weight = 0;
  int all = 0;
  read_rollouts(folder_,
                [&](const Trace&, const Outcome& outcome) { all += outcome.right_count(); });
  const auto sequences = build();
  EXPECT_EQ(static_cast<int>(sequences.size()), all);
  for (const TrainingSequence& sequence : sequences) {
    EXPECT_EQ(sequence.weight, 1);
    EXPECT_TRUE(right(sequence));
  }
  data_.most_per_cell = 2;
  EXPECT_LE(build().size(), 2 * counts_.cells.size());
}

TEST_F(TrainingDataTest, CellsWithLittleSuccessGetWorkedSolutions) {
  data_.worked_below = 1.1;
  data_.worked_per_cell = 5;
  build();
  int hardest = 1;
  for (const auto& [cell, counts] : counts_.cells) {
    EXPECT_EQ(counts.worked, 5) << cell.family << cell.difficulty;
    hardest = std::max(hardest, counts.problems > 0 ? cell.difficulty : 1);
  }
  EXPECT_TRUE(counts_.cells.contains({"counting", hardest + 1}) ||
              counts_.cells.contains({"letter_counting", hardest + 1}))
      << "the next difficulty";
}

// The control keeps how much there is of everything, and nothing that ties it to the problem.
TEST_F(TrainingDataTest, RandomRewardsAreAsManyAndDealtOutByChance) {
  data_.winners_only = true;
  data_.failure_weight = 0;
  const size_t winners = build().size();
  data_.random_rewards = true;
  const auto sequences = build();
  EXPECT_EQ(sequences.size(), winners);
  const auto still_right = std::count_if(sequences.begin(), sequences.end(),
                                         [&](const auto& sequence) { return right(sequence); });
  EXPECT_LT(static_cast<size_t>(still_right), winners);
}

TEST_F(TrainingDataTest, IsTheSameForTheSameSeed) {
  const auto weights_and_tokens = [&] {
    std::vector<std::pair<double, Tokens>> all;
    for (const TrainingSequence& s : build()) all.emplace_back(s.weight, s.tokens);
    return all;
  };
  const auto first = weights_and_tokens();
  EXPECT_EQ(weights_and_tokens(), first);
  data_.seed = 2;
  EXPECT_NE(weights_and_tokens(), first);
}

TEST_F(TrainingDataTest, RefusesWhatHoldsNothingToLearn) {
  EXPECT_THROW(build("another model"), Error);
  EXPECT_EQ(counts_.foreign, 24);
  EXPECT_THROW(build_training_data({folder_ + "/none"}, reasoner_->model(), "digest",
                                   reasoner_->options().strategies, held_out_, data_, counts_),
               Error);
  EXPECT_THROW(write_training_data(folder_ + "/none/data.jsonl", build()), Error);
}

TEST_F(TrainingDataTest, IsWrittenAsTheTrainerReadsIt) {
  const auto sequences = build();
  write_training_data(folder_ + "/data.jsonl", sequences);
  std::ifstream file(folder_ + "/data.jsonl");
  std::string line;
  size_t lines = 0;
  for (; std::getline(file, line); ++lines) {
    const Json json = Json::parse(line);
    const TrainingSequence& sequence = sequences.at(lines);
    EXPECT_EQ(json.at("tokens").get<Tokens>(), sequence.tokens);
    EXPECT_EQ(json.at("targets")[0][0], sequence.begin);
    EXPECT_EQ(json.at("targets")[0][1], sequence.tokens.size());
    EXPECT_FLOAT_EQ(json.at("targets")[0][2].get<float>(), static_cast<float>(sequence.weight));
  }
  EXPECT_EQ(lines, sequences.size());
}

}  // namespace
}  // namespace polyphon
