#include "head_trainer/head_fit.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "base/error.h"
#include "head_trainer/head_trial.h"

namespace polyphon {
namespace {

using torch::Tensor;

// Labels that the third number of the hidden state tells, and features that tell nothing; three
// examples a problem.
HeadExamples telling_examples(int64_t count, uint64_t seed) {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  HeadExamples examples;
  examples.features = torch::empty({count, ValueFeatures::kCount}).uniform_(0, 1, generator);
  examples.hidden = torch::empty({count, 8}).normal_(0, 4, generator);
  examples.labels = examples.hidden.select(1, 2).gt(0).to(torch::kFloat);
  examples.weights = torch::ones({count});
  examples.problems = torch::arange(count, torch::kLong).floor_divide(3);
  return examples;
}

double loss_of(const HeadWeights& weights, const HeadExamples& examples) {
  const torch::NoGradGuard guard;
  return label_loss(head_logits(weights, examples), examples).item<double>();
}

HeadWeights start_of(const HeadExamples& examples) { return starting_value(examples); }

TEST(HeadFit, LearnsWhatTheStateTells) {
  at::set_num_threads(1);
  const HeadExamples training = telling_examples(300, 1), unseen = telling_examples(200, 3);
  const HeadWeights start = start_of(training);
  FitOptions options;
  options.decay.hidden = 0.01;
  const HeadFit fit = fit_head(start, training, options);
  EXPECT_LT(fit.loss, fit.loss_before);
  EXPECT_LT(loss_of(fit.weights, unseen), 0.5 * loss_of(start, unseen));
}

// Of a column that is a thousand times another's size, too.
TEST(HeadFit, EndsAtTheOptimum) {
  at::set_num_threads(1);
  HeadExamples training = telling_examples(90, 1);
  training.features.select(1, 1).mul_(1e-3).add_(7);
  const HeadWeights start = start_of(training);
  const HeadFit fit = fit_head(start, training, {});
  EXPECT_LT(fit.evaluations, 200);
  (head_loss(fit.weights, training, 1) + decay_loss(fit.weights, start, {})).backward();
  for (const auto& [name, tensor] : fit.weights.parameters())
    EXPECT_LT(tensor.grad().abs().max().item<double>(), 1e-3) << name;
}

TEST(HeadFit, ThatComesToNoNumberIsAnError) {
  HeadExamples examples = telling_examples(30, 1);
  const HeadWeights start = start_of(examples);
  examples.features[3][1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(fit_head(start, examples, {}), Error);
}

TEST(HeadFit, IsTheSameToTheBitAgain) {
  at::set_num_threads(1);
  const HeadExamples training = telling_examples(60, 1);
  const auto once = fit_head(start_of(training), training, {}).weights.parameters();
  const auto again = fit_head(start_of(training), training, {}).weights.parameters();
  for (size_t i = 0; i < once.size(); ++i) EXPECT_TRUE(once[i].second.equal(again[i].second));
}

TEST(HeadFit, DecayKeepsItNearTheStart) {
  const HeadExamples training = telling_examples(60, 1);
  const auto distance = [&](double decay) {
    FitOptions options;
    options.decay = {decay, decay};
    const HeadWeights start = start_of(training);
    const HeadFit fit = fit_head(start, training, options);
    return (fit.weights.hidden - start.hidden).norm().item<double>();
  };
  EXPECT_LT(distance(100), 0.2 * distance(0));
}

TEST(HeadFit, PartsAreOfWholeProblems) {
  const HeadExamples examples = telling_examples(60, 1);
  const Tensor parts = deal_folds(examples.problems, 5, 9);
  EXPECT_TRUE(parts.equal(deal_folds(examples.problems, 5, 9)));
  EXPECT_FALSE(parts.equal(deal_folds(examples.problems, 5, 10)));
  for (int64_t row = 0; row < 60; row += 3)
    EXPECT_EQ(parts.narrow(0, row, 3).eq(parts[row]).sum().item<int64_t>(), 3);
  for (int part = 0; part < 5; ++part) EXPECT_EQ(parts.eq(part).sum().item<int64_t>(), 12);
  const FoldSplit split = split_folds(parts, 0);
  EXPECT_EQ(split.training.size(0), 48);
  EXPECT_EQ(split.test.size(0), 12);
  EXPECT_TRUE(parts.index_select(0, split.test).eq(0).all().item<bool>());
}

// Labels by chance, but the same within a problem, and a state that names the problem: weights that
// were fitted to a problem know it, so a trial that did not leave it out would look good.
TEST(HeadTrial, ScoresWithoutWhatItWasFittedTo) {
  HeadExamples examples = telling_examples(120, 4);
  examples.hidden = torch::zeros({120, 40});
  for (int64_t row = 0; row < 120; ++row) {
    examples.hidden[row][row / 3] = 1;
    examples.labels[row] = static_cast<double>((row / 3 * 7919 % 13) % 2);
  }
  TrialOptions options;
  options.fit.decay = {0, 0};
  const HeadTrial trial(examples, options);
  EXPECT_TRUE(trial.can_learn());
  const HeadArm fitted = trial.fitted_without_each_part("fitted", examples, start_of);
  const HeadArm untrained = trial.untrained(start_of);
  EXPECT_GT(mean_log_loss(fitted.probabilities, trial.labelled()), 0.6);
  EXPECT_NE(fitted.probabilities, untrained.probabilities);
}

TEST(HeadTrial, NeedsLabelsOfBothKindsThatCount) {
  HeadExamples examples = telling_examples(120, 4);
  EXPECT_TRUE(HeadTrial(examples, {}).can_learn());
  examples.weights = examples.labels.clone();
  EXPECT_FALSE(HeadTrial(examples, {}).can_learn()) << "those that are so, alone";
  EXPECT_FALSE(HeadTrial(telling_examples(12, 4), {}).can_learn()) << "4 problems";
  EXPECT_FALSE(HeadTrial({}, {}).can_learn());
}

}  // namespace
}  // namespace polyphon
