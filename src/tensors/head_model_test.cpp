// The heads' loss by hand, its gradient by finite differences, and the trainer's heads against the
// engine's.
#include "tensors/head_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/random.h"
#include "tensors/gradients_for_test.h"

namespace polyphon {
namespace {

using torch::Tensor;

constexpr int64_t kHiddenSize = 5;

Tensor random_tensor(at::IntArrayRef shape, uint64_t seed) {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::empty(shape, torch::kDouble).normal_(0, 1, generator);
}

// The last of them has no hidden state.
HeadExamples random_examples(int64_t count, int64_t features, uint64_t seed) {
  HeadExamples examples;
  examples.features = random_tensor({count, features}, seed).sigmoid();
  examples.hidden = random_tensor({count, kHiddenSize}, seed + 1) * 3;
  examples.hidden[count - 1].zero_();
  examples.labels = random_tensor({count}, seed + 2).gt(0).to(torch::kDouble);
  examples.weights = random_tensor({count}, seed + 3).abs();
  examples.problems = torch::arange(count, torch::kLong) / 2;
  return examples;
}

// As training would leave them.
HeadWeights moved(HeadWeights weights) {
  const torch::NoGradGuard guard;
  uint64_t seed = 90;
  for (auto& [name, tensor] : weights.parameters()) {
    Tensor values = tensor;
    values.add_(random_tensor(values.sizes(), ++seed) * 0.3);
  }
  return weights;
}

HeadExamples two_examples() {
  HeadExamples examples;
  examples.labels = torch::tensor({1.0, 0.0}, torch::kDouble);
  examples.weights = torch::tensor({3.0, 1.0}, torch::kDouble);
  return examples;
}

TEST(HeadLoss, IsTheWeightedLogisticLoss) {
  const Tensor logits = torch::tensor({0.5, -1.0}, torch::kDouble);
  const double right = std::log1p(std::exp(-0.5)), wrong = std::log1p(std::exp(-1.0));
  EXPECT_NEAR(label_loss(logits, two_examples()).item<double>(), (3 * right + 1 * wrong) / 4,
              1e-12);
}

TEST(HeadLoss, OfNothingThatWeighsIsZero) {
  HeadExamples examples = two_examples();
  examples.weights.zero_();
  EXPECT_EQ(label_loss(torch::tensor({4.0, 4.0}, torch::kDouble), examples).item<double>(), 0);
}

// Groups 7 (rows 0, 2, 3) and 3 (rows 1, 4, 6); 9 is not learnt from.
HeadExamples choices() {
  HeadExamples examples = random_examples(7, ValueFeatures::kCount, 11);
  examples.groups = torch::tensor({7, 3, 7, 7, 3, 9, 3}, torch::kLong);
  examples.visits = torch::tensor({4.0, 2.0, 1.0, 3.0, 5.0, 1.0, 1.0}, torch::kDouble);
  examples.targets = torch::tensor({0.0, 1.0, 0.25, 0.75, 0.0, 1.0, 0.0}, torch::kDouble);
  examples.elsewhere = torch::tensor({0.5, 0.8, 0.5, 0.5, 0.8, 0.0, 0.8}, torch::kDouble);
  return examples;
}

TEST(HeadLoss, OfChoicesIsTheCrossEntropyOfVisitsAndValuesWithTheBest) {
  const Tensor logits = torch::tensor({1.0, 0.5, -1.0, 0.0, 2.0, 9.0, -0.5}, torch::kDouble);
  const double first = 4 * std::exp(1.0) + std::exp(-1.0) + 3;
  const double second = 2 * std::exp(0.5) + 5 * std::exp(2.0) + std::exp(-0.5);
  const double of_first = -0.25 * std::log(std::exp(-1.0) / first) - 0.75 * std::log(3 / first);
  const double of_second = -std::log(2 * std::exp(0.5) / second);
  EXPECT_NEAR(choice_loss(logits, choices()).item<double>(),
              (0.5 * of_first + 0.8 * of_second) / 1.3, 1e-12);
  // As large as logits may be.
  EXPECT_TRUE(std::isfinite(choice_loss(logits * 1000, choices()).item<double>()));
}

TEST(HeadLoss, IsOfLabelsAloneWhereThereIsNoChoice) {
  HeadExamples examples = choices();
  const HeadWeights head = moved(starting_value(examples));
  const double labels = label_loss(head_logits(head, examples), examples).item<double>();
  const double both = head_loss(head, examples, 0.5).item<double>();
  EXPECT_NEAR(both - labels,
              0.5 * choice_loss(head_logits(head, examples), examples).item<double>(), 1e-12);
  EXPECT_GT(both, labels);
  EXPECT_EQ(head_loss(head, examples, 0).item<double>(), labels);
  examples.elsewhere.zero_();
  EXPECT_EQ(head_loss(head, examples, 0.5).item<double>(), labels);
  EXPECT_EQ(head_loss(head, random_examples(5, ValueFeatures::kCount, 2), 1).dim(), 0);
}

TEST(HeadLoss, DecayIsHalfTheSquaredDistanceFromTheStart) {
  const HeadExamples examples = random_examples(4, GateFeatures::kCount, 1);
  const HeadWeights start = starting_gate(examples);
  EXPECT_EQ(decay_loss(start.copy(), start, {0.2, 0.8}).item<double>(), 0);
  HeadWeights now = start.copy();
  {
    const torch::NoGradGuard guard;
    now.features[1].add_(2);
    now.bias.sub_(1);
    now.hidden[3].add_(0.5);
  }
  EXPECT_NEAR(decay_loss(now, start, {0.2, 0.8}).item<double>(),
              0.1 * (2 * 2 + 1 * 1) + 0.4 * 0.5 * 0.5, 1e-12);
}

void expect_loss_gradients(const HeadWeights& start, const HeadExamples& examples) {
  const HeadWeights weights = moved(start.copy());
  expect_gradients(weights.parameters(), [&] {
    return head_loss(weights, examples, 0.6) + decay_loss(weights, start, {0.3, 0.7});
  });
}

TEST(gradient, OfTheGatesLoss) {
  const HeadExamples examples = random_examples(9, GateFeatures::kCount, 2);
  expect_loss_gradients(starting_gate(examples), examples);
}

TEST(gradient, OfTheValueHeadsLoss) {
  const HeadExamples examples = random_examples(9, ValueFeatures::kCount, 3);
  expect_loss_gradients(starting_value(examples), examples);
}

TEST(gradient, OfTheWriteHeadsLoss) {
  const HeadExamples examples = random_examples(9, WriteFeatures::kCount, 10);
  expect_loss_gradients(starting_write(examples), examples);
}

TEST(gradient, OfTheValueHeadsLossWithChoices) {
  const HeadExamples examples = choices();
  expect_loss_gradients(starting_value(examples), examples);
}

template <typename Features>
Features features_at(const HeadExamples& examples, int64_t row) {
  static_assert(sizeof(Features) == Features::kCount * sizeof(double));
  Features features;
  std::memcpy(static_cast<void*>(&features), examples.features[row].const_data_ptr<double>(),
              sizeof(Features));
  return features;
}

// Empty where the engine has none.
std::vector<float> state_at(const HeadExamples& examples, int64_t row) {
  const Tensor state = examples.hidden[row].to(torch::kFloat);
  if (state.ne(0).sum().item<int64_t>() == 0) return {};
  return {state.const_data_ptr<float>(), state.const_data_ptr<float>() + state.numel()};
}

// `said`: the engine's probability of features and a state.
template <typename Features, typename Said>
void expect_parity(const HeadWeights& weights, const HeadExamples& examples, const Said& said) {
  const Tensor expected = at::sigmoid(head_logits(weights, examples));
  for (int64_t row = 0; row < examples.count(); ++row)
    EXPECT_NEAR(said(features_at<Features>(examples, row), state_at(examples, row)),
                expected[row].item<double>(), 1e-6)
        << row;
}

TEST(parity, OfTheGateWithTheEngines) {
  const HeadExamples examples = random_examples(20, GateFeatures::kCount, 4);
  const HeadWeights weights = moved(starting_gate(examples));
  expect_parity<GateFeatures>(weights, examples, [&](const auto& features, const auto& state) {
    return promotion_probability(to_gate(weights), features, state);
  });
}

TEST(parity, OfTheValueHeadWithTheEngines) {
  const HeadExamples examples = random_examples(20, ValueFeatures::kCount, 5);
  const HeadWeights weights = moved(starting_value(examples));
  expect_parity<ValueFeatures>(weights, examples, [&](const auto& features, const auto& state) {
    return value_of(to_value(weights), features, state);
  });
}

TEST(parity, OfTheWriteHeadWithTheEngines) {
  const HeadExamples examples = random_examples(20, WriteFeatures::kCount, 9);
  const HeadWeights weights = moved(starting_write(examples));
  expect_parity<WriteFeatures>(weights, examples, [&](const auto& features, const auto& state) {
    return write_probability(to_write(weights), features, state);
  });
}

TEST(parity, HeadsStartAsTheUntrainedOnes) {
  const HeadExamples gates = random_examples(6, GateFeatures::kCount, 6);
  const HeadExamples values = random_examples(6, ValueFeatures::kCount, 7);
  const HeadExamples sentences = random_examples(6, WriteFeatures::kCount, 8);
  const Tensor gate = at::sigmoid(head_logits(starting_gate(gates), gates));
  const Tensor value = at::sigmoid(head_logits(starting_value(values), values));
  const Tensor write = at::sigmoid(head_logits(starting_write(sentences), sentences));
  for (int64_t row = 0; row < 6; ++row) {
    EXPECT_NEAR(write[row].item<double>(),
                write_probability({}, features_at<WriteFeatures>(sentences, row), {}), 1e-12);
    EXPECT_NEAR(gate[row].item<double>(),
                promotion_probability({}, features_at<GateFeatures>(gates, row), {}), 1e-12);
    EXPECT_NEAR(value[row].item<double>(),
                value_of({}, features_at<ValueFeatures>(values, row), {}), 1e-12);
  }
}

// Columns of any size, one of which says nothing: what a fit sees of them is alike.
TEST(HeadModel, ExamplesAreStandardised) {
  HeadExamples examples = random_examples(50, GateFeatures::kCount, 8);
  examples.features.select(1, 2).mul_(1e-3).add_(5);
  examples.features.select(1, 4).fill_(0.25);
  examples.hidden.select(1, 0).mul_(1e4);
  const HeadWeights start = starting_gate(examples);
  for (const Tensor& seen :
       {start.of_features(examples.features), start.of_hidden(examples.hidden)}) {
    for (int64_t column = 0; column < seen.size(1); ++column) {
      if (seen.select(1, column).eq(0.25).all().item<bool>()) continue;
      EXPECT_NEAR(seen.select(1, column).mean().item<double>(), 0, 1e-9);
      EXPECT_NEAR(seen.select(1, column).square().mean().item<double>(), 1, 1e-9);
    }
  }
  const GateHead untrained, back = to_gate(start);
  EXPECT_NEAR(back.bias, untrained.bias, 1e-9);
  for (size_t i = 0; i < untrained.weights.size(); ++i)
    EXPECT_NEAR(back.weights[i], untrained.weights[i], 1e-9) << i;
}

TEST(HeadModel, AGateSurvivesBeingMadeTrainable) {
  GateHead gate;
  gate.bias = -1.25;
  gate.weights[3] = 0.5;
  gate.hidden_weights = {1, -2, 0.5f};
  const GateHead back = to_gate(to_weights(gate, torch::tensor({0.5f, 0.25f, 2.0f})));
  EXPECT_EQ(back.bias, gate.bias);
  EXPECT_EQ(back.weights, gate.weights);
  EXPECT_EQ(back.hidden_weights, gate.hidden_weights);
}

}  // namespace
}  // namespace polyphon
