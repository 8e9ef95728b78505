// Gradients of the trained weights against finite differences.
#include <gtest/gtest.h>

#include <cmath>

#include "tensors/gradients_for_test.h"
#include "tensors/operations.h"
#include "tensors/tiny_weights_for_test.h"
#include "tensors/transformer.h"
#include "trainer/batch_loss.h"
#include "trainer/promoted_example_for_test.h"
#include "trainer/promotion_loss.h"

namespace polyphon {
namespace {

using torch::Tensor;

const TinyModel kTiny{.layers = 2,
                      .hidden_size = 16,
                      .feed_forward_size = 24,
                      .heads = 4,
                      .kv_heads = 2,
                      .head_size = 4,
                      .vocabulary_size = 150};

// Tokens of two packed segments; the second sees what a random mask lets it see.
TokenBatch packed_batch() {
  TokenBatch batch;
  append_plain(batch, random_tokens(7, kTiny.vocabulary_size, 1));
  append_plain(batch, random_tokens(9, kTiny.vocabulary_size, 2));
  Random random(3);
  Visibility visibility(9);
  for (int row = 0; row < 9; ++row)
    for (int column = 0; column <= row; ++column)
      if (column == row || random.uniform() < 0.6) visibility.let_see(row, column);
  batch.segments[1].visibility = visibility;
  batch.positions[12] = 40;  // positions need not be those of the row
  return batch;
}

// A weighted sum of log-probabilities of targets at some rows: what every loss is made of.
Tensor weighted_loss(const BaseWeights& weights, const Lora& lora, const TokenBatch& batch,
                     const ForwardOptions& options) {
  const std::vector<int> rows{0, 3, 5, 7, 11, 12, 15};
  const Tensor hidden = forward(weights, lora, batch, options, &rows);
  const Tensor targets = torch::tensor(std::vector<int64_t>{5, 17, 100, 3, 149, 17, 60});
  const Tensor factors = torch::tensor(std::vector<double>{1, -0.5, 2, 0.3, 1, -1, 0.7});
  return (target_logprobs(hidden, weights.output, targets, weights.route) * factors).sum();
}

void expect_lora_gradients(const std::string& architecture, const LoraConfig& config,
                           const ForwardOptions& options) {
  TinyModel tiny = kTiny;
  tiny.architecture = architecture;
  const BaseWeights weights = tiny_weights(tiny, Precision::kDouble);
  const Lora lora(weights.shape, config, 11, torch::kDouble);
  fill_b(lora, 0.3);
  const TokenBatch batch = packed_batch();
  expect_gradients(
      lora.parameters(), [&] { return weighted_loss(weights, lora, batch, options); },
      /*most=*/4);
}

const LoraConfig kRankTwo{.rank = 2, .alpha = 3};

TEST(gradient, OfLlamaThroughMasksPackingAndTheChunkedLoss) {
  expect_lora_gradients("llama", kRankTwo, {});
}

TEST(gradient, OfQwen2WithItsBiases) { expect_lora_gradients("qwen2", kRankTwo, {}); }

TEST(gradient, OfQwen3ThroughTheNormsOfQueriesAndKeys) {
  expect_lora_gradients("qwen3", kRankTwo, {});
}

TEST(gradient, ThroughCheckpointing) {
  expect_lora_gradients("qwen3", kRankTwo, {.checkpoint = true});
}

TEST(gradient, ThroughDropoutThatIsDrawnAgainTheSame) {
  LoraConfig config = kRankTwo;
  config.dropout = 0.3f;
  expect_lora_gradients("llama", config, {.training = true, .seed = 9, .checkpoint = true});
}

TEST(gradient, OfChosenProjectionsOnly) {
  LoraConfig config = kRankTwo;
  config.projections = {"attn_v", "ffn_down"};
  expect_lora_gradients("llama", config, {.checkpoint = true});
}

// What a gate's log p will be: a bias on the scores of some columns.
TEST(gradient, OfABiasOnAttentionScores) {
  const BaseWeights weights = tiny_weights(kTiny, Precision::kDouble);
  const Lora lora(weights.shape, kRankTwo, 11, torch::kDouble);
  const TokenBatch batch = packed_batch();
  const Tensor log_p = torch::full({1}, -0.7, torch::kDouble).set_requires_grad(true);
  for (const bool checkpoint : {false, true})
    expect_gradients({{"log p", log_p}}, [&] {
      Tensor note = torch::zeros({9, 9}, torch::kDouble);
      note.narrow(0, 4, 5).narrow(1, 1, 2).fill_(1);
      ForwardOptions options{.checkpoint = checkpoint};
      options.biases = {Tensor(), note * log_p};
      return weighted_loss(weights, lora, batch, options);
    });
}

const TrainingBatch kBatch{packed_batch(), {0, 3, 5, 12}, {5, 17, 100, 3}, {1, -0.5f, 2, 0.3f}, {}};

TEST(gradient, OfTheDivergenceFromTheBase) {
  const BaseWeights weights = tiny_weights(kTiny, Precision::kDouble);
  const Lora lora(weights.shape, kRankTwo, 11, torch::kDouble);
  const Lora base = no_adapter(weights.shape, torch::kDouble);
  fill_b(lora, 0.3);
  expect_gradients(lora.parameters(), [&] {
    return batch_loss(weights, lora, kBatch, {}, {.base = &base}).divergence;
  });
}

TrainingBatch promoted_batch() {
  const std::vector<Example> examples = {
      promoted_example(random_tokens(kPromotedRows, kTiny.vocabulary_size, 4), 0.5f, 0.5f),
      promoted_example(random_tokens(kPromotedRows, kTiny.vocabulary_size, 5), 0.25f, -0.25f)};
  BatchPlan plan(examples, 2 * kPromotedRows, 1);
  DataPosition position;
  return plan.take(position);
}

// Both what it is held to and, through attention, what the tokens cost.
TEST(gradient, ReachesTheGateFromItsOwnTermAndFromTheTokens) {
  const BaseWeights weights = tiny_weights(kTiny, Precision::kDouble);
  const Lora lora(weights.shape, kRankTwo, 11, torch::kDouble);
  fill_b(lora, 0.3);
  GateHead head;
  for (int i = 0; i < 16; ++i) head.hidden_weights.push_back(0.1f * static_cast<float>(i % 5 - 2));
  const HeadWeights gate = trainable_gate(head, weights);
  for (const bool checkpoint : {false, true}) {
    const auto loss = [&] {
      return batch_loss(weights, lora, promoted_batch(), {.checkpoint = checkpoint},
                        {.gate = &gate});
    };
    expect_gradients(gate.parameters(), [&] { return loss().promotion; });
    expect_gradients(gate.parameters(), [&] { return loss().tokens; });
  }
}

TEST(gradient, OfTheAdapterUnderAGate) {
  const BaseWeights weights = tiny_weights(kTiny, Precision::kDouble);
  const Lora lora(weights.shape, kRankTwo, 11, torch::kDouble);
  fill_b(lora, 0.3);
  // It reads no states: through those it has no gradient, by design.
  const HeadWeights gate = trainable_gate({}, weights);
  expect_gradients(lora.parameters(), [&] {
    return batch_loss(weights, lora, promoted_batch(), {}, {.gate = &gate}).tokens;
  });
}

// L_answer by hand: -sum w log p of the targets.
TEST(BatchLoss, OfTokensIsTheirWeightedNegativeLogProbability) {
  const BaseWeights weights = tiny_weights(kTiny, Precision::kDouble);
  const Lora lora(weights.shape, kRankTwo, 11, torch::kDouble);
  fill_b(lora, 0.3);
  const Tensor logprobs = logits(weights, forward(weights, lora, kBatch.tokens, {})).log_softmax(1);
  const auto of = [&](int row, int token) { return logprobs[row][token].item<double>(); };
  const double unlearnt = std::max(of(3, 17), kLeastLogprob);
  EXPECT_NEAR(batch_loss(weights, lora, kBatch, {}).tokens.item<double>(),
              -(1 * of(0, 5) - 0.5 * unlearnt + 2 * of(5, 100) + 0.3 * of(12, 3)), 1e-6);
  LossCounts counts;
  counts.add(kBatch);
  EXPECT_EQ(counts.targets, 4);
}

TEST(BatchLoss, AFailureThatIsRareAlreadyIsPushedNoFurther) {
  const BaseWeights weights = tiny_weights(kTiny, Precision::kDouble);
  const Lora lora(weights.shape, kRankTwo, 11, torch::kDouble);
  fill_b(lora, 0.3);
  const auto [rarest, tokens] =
      logits(weights, forward(weights, lora, kBatch.tokens, {}, &kBatch.rows))
          .log_softmax(1)
          .min(1);
  ASSERT_LT(rarest.max().item<double>(), kLeastLogprob);
  TrainingBatch failures = kBatch;
  failures.targets = numbers_of<int64_t>(tokens);
  failures.weights = {-1, -0.5f, -2, -0.3f};
  const Tensor loss = batch_loss(weights, lora, failures, {}).tokens;
  EXPECT_NEAR(loss.item<double>(), 3.8 * kLeastLogprob, 1e-6);
  loss.backward();
  for (const auto& [name, tensor] : lora.parameters())
    EXPECT_EQ(tensor.grad().abs().max().item<double>(), 0) << name;
}

TEST(BatchLoss, DivergenceIsOfItsFormulaAndZeroBeforeTraining) {
  const BaseWeights weights = tiny_weights(kTiny, Precision::kDouble);
  const Lora lora(weights.shape, kRankTwo, 11, torch::kDouble);
  const Lora base = no_adapter(weights.shape, torch::kDouble);
  EXPECT_EQ(batch_loss(weights, lora, kBatch, {}, {.base = &base}).divergence.item<double>(), 0);
  const torch::NoGradGuard guard;
  const auto logprobs = [&] {
    return logits(weights, forward(weights, lora, kBatch.tokens, {}, &kBatch.rows)).log_softmax(1);
  };
  const Tensor before = logprobs();
  fill_b(lora, 0.3);
  const Tensor after = logprobs();
  double expected = 0;
  for (int64_t i = 0; i < 4; ++i) {
    const int64_t target = kBatch.targets[static_cast<size_t>(i)];
    const double d = before[i][target].item<double>() - after[i][target].item<double>();
    expected += std::abs(kBatch.weights[static_cast<size_t>(i)]) * (std::exp(d) - d - 1);
  }
  const BatchLoss loss = batch_loss(weights, lora, kBatch, {}, {.base = &base});
  EXPECT_GT(expected, 0.01);
  EXPECT_NEAR(loss.divergence.item<double>(), expected, 1e-5 * expected);
  EXPECT_FALSE(batch_loss(weights, lora, kBatch, {}).divergence.defined());
}

TEST(gradient, IsTheSameToTheBitWithAndWithoutCheckpointing) {
  const BaseWeights weights = tiny_weights(kTiny, Precision::kFloat);
  const Lora lora(weights.shape, kRankTwo, 11);
  fill_b(lora, 0.3);
  torch::autograd::variable_list leaves;
  for (const auto& [name, tensor] : lora.parameters()) leaves.push_back(tensor);
  const auto gradients = [&](bool checkpoint) {
    return torch::autograd::grad(
        {weighted_loss(weights, lora, packed_batch(), {.checkpoint = checkpoint})}, leaves);
  };
  const auto kept = gradients(false), computed_again = gradients(true);
  for (size_t i = 0; i < kept.size(); ++i) EXPECT_TRUE(kept[i].equal(computed_again[i]));
}

}  // namespace
}  // namespace polyphon
