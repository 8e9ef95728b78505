#include "trainer/promotion_loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tensors/tiny_weights_for_test.h"
#include "trainer/batch_loss.h"
#include "trainer/promoted_example_for_test.h"

namespace polyphon {
namespace {

using torch::Tensor;

const TinyModel kTiny{.vocabulary_size = 150};
const std::vector<float> kFeatures = {0.5f, 1, 0.25f, 0.75f, 0, 1};

// A plain sequence, a session with a promotion, and one of which only the effect is known.
TrainingBatch batch() {
  Example first = promoted_example(random_tokens(kPromotedRows, 150, 1), 0, 0.5f);
  first.promotions[0].features = kFeatures;
  Example effect_alone =
      without_promotion(promoted_example(random_tokens(kPromotedRows, 150, 2), 0, 0));
  effect_alone.targets.clear();
  effect_alone.promotions = {{std::vector<float>(6, 0.5f), -1, -0.25f}};
  const std::vector<Example> examples = {
      {1, random_tokens(7, 150, 3), {{1, 7, 1}}}, first, effect_alone};
  BatchPlan plan(examples, 100, 1);
  DataPosition position;
  return plan.take(position);
}

size_t promoted_segment(const TrainingBatch& batch) { return batch.brought.at(0).segment; }

class PromotionLossTest : public ::testing::Test {
 protected:
  BatchLoss loss(const TrainingBatch& batch, double bias, bool checkpoint = false) const {
    GateHead head;
    head.bias = bias;
    const HeadWeights gate = trainable_gate(head, weights_);
    return batch_loss(weights_, lora_, batch, {.checkpoint = checkpoint}, {.gate = &gate});
  }

  const BaseWeights weights_ = tiny_weights(kTiny, Precision::kFloat);
  const Lora lora_{weights_.shape, {.rank = 2}, 11};
};

TEST_F(PromotionLossTest, BiasesAreLogPOfWhatAPromotionBrought) {
  const TrainingBatch both = batch();
  ASSERT_EQ(both.promotions.size(), 2u);
  const int number = both.brought.at(0).promotion;
  Tensor log_p = torch::zeros({2});
  log_p[number] = -3;
  const std::vector<Tensor> biases = promotion_biases(both, log_p);
  ASSERT_EQ(biases.size(), 3u);
  for (size_t i = 0; i < biases.size(); ++i)
    EXPECT_EQ(biases[i].defined(), i == promoted_segment(both));
  Tensor expected = torch::zeros({kPromotedRows, kPromotedRows});
  expected.slice(0, 15, 19).slice(1, 8, 11).fill_(-3);
  EXPECT_TRUE(biases[promoted_segment(both)].equal(expected));
}

TEST_F(PromotionLossTest, ACertainGateChangesNoBit) {
  fill_b(lora_, 0.3);
  const TrainingBatch both = batch();
  const Tensor plain = batch_loss(weights_, lora_, both, {}).tokens;
  EXPECT_TRUE(loss(both, 1000).tokens.equal(plain));
  EXPECT_TRUE(loss(both, 1000, /*checkpoint=*/true).tokens.equal(plain));
  EXPECT_FALSE(loss(both, 0).tokens.equal(plain));
}

TEST_F(PromotionLossTest, AGateThatIsCertainlyClosedIsAsIfNothingHadBeenPromoted) {
  fill_b(lora_, 0.3);
  const Tokens tokens = random_tokens(kPromotedRows, 150, 1);
  const auto batch_of = [](const Example& example) {
    const std::vector<Example> examples = {example};
    BatchPlan plan(examples, 100, 1);
    DataPosition position;
    return plan.take(position);
  };
  const Example promoted = promoted_example(tokens, 0.5f, 0.5f);
  const double without =
      batch_loss(weights_, lora_, batch_of(without_promotion(promoted)), {}).tokens.item<double>();
  EXPECT_NEAR(loss(batch_of(promoted), -1e6).tokens.item<double>(), without, 1e-4);
  EXPECT_GT(std::abs(loss(batch_of(promoted), 1e6).tokens.item<double>() - without), 1e-3);
}

TEST_F(PromotionLossTest, CrossEntropyIsWhatOneComputesByHand) {
  const auto probability = [](double logit) { return 1 / (1 + std::exp(-logit)); };
  const GateHead head;
  double helped = head.bias, harmed = head.bias;
  for (size_t i = 0; i < 6; ++i) {
    helped += head.weights[i] * kFeatures[i];
    harmed += head.weights[i] * 0.5;
  }
  const double expected =
      -0.5 * std::log(probability(helped)) - 0.25 * std::log(1 - probability(harmed));
  EXPECT_NEAR(loss(batch(), head.bias).promotion.item<double>(), expected, 1e-5);
  LossCounts counts;
  counts.add(batch());
  EXPECT_EQ(counts.effects, 2);
}

TEST_F(PromotionLossTest, TheGateReadsTheStatesThatTheSessionHad) {
  fill_b(lora_, 0.3);
  const TrainingBatch both = batch();
  const HeadExamples examples = promotion_examples(weights_, lora_, both);
  const auto number = static_cast<size_t>(both.brought.at(0).promotion);
  const torch::NoGradGuard guard;
  const std::vector<int> rows = {both.promotions[number].state};
  EXPECT_TRUE(examples.hidden[static_cast<int64_t>(number)].equal(
      forward(weights_, lora_, both.tokens, {}, &rows)[0]));
  EXPECT_EQ(examples.hidden[static_cast<int64_t>(1 - number)].abs().sum().item<double>(), 0);
  const HeadWeights gate = trainable_gate({}, weights_);
  EXPECT_NEAR(
      (examples.hidden[static_cast<int64_t>(number)] * gate.of_hidden.scale).norm().item<double>(),
      1, 1e-3);
}

// The base is asked about the same session, so an adapter that adds nothing diverges by nothing.
TEST_F(PromotionLossTest, DivergenceIsOfTheAdapterAlone) {
  const Lora base = no_adapter(weights_.shape);
  const HeadWeights gate = trainable_gate({}, weights_);
  const BatchLoss loss = batch_loss(weights_, lora_, batch(), {}, {.base = &base, .gate = &gate});
  EXPECT_EQ(loss.divergence.item<double>(), 0);
}

TEST_F(PromotionLossTest, EffectsAloneAreLearntWithoutTargets) {
  Example alone = promoted_example(random_tokens(kPromotedRows, 150, 1), 0.5f, 0.5f);
  alone.targets.clear();
  const std::vector<Example> examples = {alone};
  BatchPlan plan(examples, 100, 1);
  DataPosition position;
  const BatchLoss loss = this->loss(plan.take(position), -2.5);
  EXPECT_EQ(loss.tokens.item<double>(), 0);
  EXPECT_GT(loss.promotion.item<double>(), 0);
}

}  // namespace
}  // namespace polyphon
