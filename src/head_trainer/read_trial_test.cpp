#include "head_trainer/read_trial.h"

#include <gtest/gtest.h>

#include "head_trainer/head_fit.h"

namespace polyphon {
namespace {

using torch::Tensor;

constexpr int64_t kSize = 8;
constexpr int kNodes = 5;

// Looks want the node whose key is their state with its halves exchanged: what the cosine does not
// see, and a bilinear form can. Words tell nothing. Every other look wants nothing.
ReadExamples exchanged_halves(int sessions) {
  torch::manual_seed(3);
  std::vector<ReadSession> all(static_cast<size_t>(sessions));
  for (ReadSession& session : all) {
    std::vector<Tensor> keys;
    for (int i = 0; i < kNodes; ++i) {
      keys.push_back(torch::randn(kSize));
      session.add_key(keys.back());
    }
    const std::vector<double> words(kNodes, 0.25);
    for (size_t i = 0; i < kNodes; ++i) {
      session.add_look(keys[i].roll(kSize / 2, 0) + 0.1 * torch::randn(kSize), {0, 1, 2, 3, 4},
                       words, i);
      session.add_look(torch::randn(kSize), {0, 1, 2, 3, 4}, words, std::nullopt);
    }
  }
  return padded(all, kSize);
}

double mean(const Json& line, const char* name) { return line.at(name).at("mean").get<double>(); }

TEST(ReadTrial, LearnsWhatTheStatesHaveInCommon) {
  const ReadExamples examples = exchanged_halves(40);
  TrialOptions options;
  options.folds = 3;
  options.fit.decay.read = 0.001;
  const ReadTrial trial(examples, options);
  ASSERT_TRUE(trial.can_learn());
  const auto lines = report_read({trial.fitted_without_each_part("state", 8), trial.untrained(),
                                  trial.by_words(), trial.by_cosine()});
  EXPECT_GT(mean(lines[0], "recall_at_1"), 0.8);
  EXPECT_GT(mean(lines[0], "found"), 0.5);
  EXPECT_LT(mean(lines[0], "in_vain"), 0.5);
  EXPECT_NEAR(mean(lines[2], "recall_at_1"), 1.0 / kNodes, 1e-9) << "all alike: by lot";
  EXPECT_LT(mean(lines[3], "recall_at_1"), 0.5);
  EXPECT_GT(lines[1].at("recall_at_1_gain").at("low").get<double>(), 0.2);
  const Fit<ReadWeights> fit = trial.fit_to_all(8);
  EXPECT_LT(fit.loss, fit.loss_before);
}

TEST(ReadTrial, NeedsEnoughSessions) {
  const TrialOptions options;
  const ReadExamples few = exchanged_halves(kLeastProblemsAPart * options.folds - 1);
  EXPECT_FALSE(ReadTrial(few, options).can_learn());
  const ReadExamples none;
  EXPECT_FALSE(ReadTrial(none, options).can_learn());
}

}  // namespace
}  // namespace polyphon
