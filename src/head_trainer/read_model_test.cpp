#include "head_trainer/read_model.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tensors/gradients_for_test.h"

namespace polyphon {
namespace {

using torch::Tensor;

constexpr int64_t kSize = 6;

// Two sessions; the second has one node and one look less.
ReadExamples examples() {
  torch::manual_seed(5);
  std::vector<ReadSession> sessions(2);
  for (int i = 0; i < 3; ++i) sessions[0].add_key(torch::randn(kSize));
  for (int i = 0; i < 2; ++i) sessions[1].add_key(torch::randn(kSize));
  sessions[0].add_look(torch::randn(kSize), {0, 1, 2}, {0.5, 0, 0.25}, 1);
  sessions[0].add_look(torch::randn(kSize), {0, 2}, {0.75, 1}, std::nullopt);
  sessions[1].add_look(torch::randn(kSize), {0, 1}, {0.125, 0.5}, 0);
  return padded(sessions, kSize);
}

ReadWeights some_weights(const ReadExamples& like) {
  ReadWeights weights = starting_read(like, 2, 1);
  weights.right = torch::randn({kSize, 2}).set_requires_grad(true);
  weights.terms = torch::tensor({0.25f, 0.75f}).set_requires_grad(true);
  return weights;
}

void expect_engine_scores(const ReadWeights& weights, const ReadExamples& examples) {
  const ReadHead head = to_read(weights);
  const Tensor scores = read_scores(weights, examples);
  const auto there = examples.there.nonzero();  // [m, 3]
  for (int64_t i = 0; i < there.size(0); ++i) {
    const auto at = [&](int64_t dimension) { return there[i][dimension].item<int64_t>(); };
    const int64_t s = at(0), q = at(1), n = at(2);
    const std::vector<float> state = numbers_of<float>(examples.states[s][q]);
    EXPECT_NEAR(scores[s][q][n].item<double>(),
                ReadScorer(head, state)
                    .score(examples.lexical[s][q][n].item<double>(),
                           numbers_of<float>(examples.keys[s][n])),
                1e-5);
  }
}

TEST(ReadModel, ScoresAsTheEngineDoes) {
  const ReadExamples examples = polyphon::examples();
  expect_engine_scores(starting_read(examples, 0, 1), examples);
  expect_engine_scores(some_weights(examples), examples);
}

TEST(ReadModel, StartsAsTheUntrainedHead) {
  const ReadExamples examples = polyphon::examples();
  const Tensor untrained = read_scores(starting_read(examples, 0, 1), examples);
  EXPECT_TRUE(read_scores(starting_read(examples, 4, 1), examples).equal(untrained));
  const ReadHead head = to_read(starting_read(examples, 0, 1));
  EXPECT_TRUE(head.bilinear.empty());
  EXPECT_NEAR(head.lexical_weight, ReadHead{}.lexical_weight, 1e-6);
}

TEST(ReadModel, LossIsTheSoftmaxOverNodesAndTheThreshold) {
  const ReadExamples examples = polyphon::examples();
  const Tensor scores = torch::full({2, 2, 3}, 0.5);
  scores[0][0][1] = 0.6;
  const double e = std::exp(kReadSharpness * 0.1);
  const double wanted = -std::log(e / (e + 3));  // two other nodes and the threshold
  const double nothing = -std::log(1.0 / 3);     // two nodes
  const double other = -std::log(1.0 / 3);
  EXPECT_NEAR(read_loss(scores, examples).item<double>(), (wanted + nothing + other) / 3, 1e-5);
}

TEST(ReadModel, DecaysByHowFarTheMatrixHasGone) {
  const ReadExamples examples = polyphon::examples();
  const ReadWeights start = starting_read(examples, 2, 1), weights = some_weights(examples);
  const Tensor gone = at::matmul(weights.left, weights.right.t()) / kSize;
  const double terms = (weights.terms - start.terms).square().sum().item<double>();
  const double expected = 0.25 * terms + 0.5 * gone.square().sum().item<double>();
  EXPECT_NEAR(decay_loss(weights, start, {.features = 0.5, .read = 1}).item<double>(), expected,
              1e-5);
  EXPECT_EQ(decay_loss(start, start, {.features = 0.5, .read = 1}).item<double>(), 0);
}

TEST(gradient, OfTheReadHeadsLoss) {
  ReadExamples examples = polyphon::examples();
  for (Tensor* each :
       {&examples.keys, &examples.states, &examples.lexical, &examples.there, &examples.weights})
    *each = each->to(torch::kDouble);
  const ReadWeights start = starting_read(examples, 2, 1);
  ReadWeights weights = start.copy();
  weights.right = torch::randn({kSize, 2}, torch::kDouble).set_requires_grad(true);
  const auto loss = [&] {
    return read_loss(read_scores(weights, examples), examples) +
           decay_loss(weights, start, {.features = 0.5, .read = 1});
  };
  expect_gradients(weights.parameters(), loss);
}

TEST(ReadModel, WithoutAStateWordsHaveAllTheWeight) {
  ReadExamples examples = polyphon::examples();
  examples.states = torch::zeros_like(examples.states);
  EXPECT_TRUE(read_scores(starting_read(examples, 0, 1), examples).allclose(examples.lexical));
}

}  // namespace
}  // namespace polyphon
