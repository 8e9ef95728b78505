// The trainer's forward pass against stock libllama's, on tiny random models in float, where both
// should agree to the rounding of sums. On real models and recorded sessions: tests/parity_test.py.
#include <gtest/gtest.h>

#include <filesystem>

#include "model/plain_llama.h"
#include "train/tiny_weights_for_test.h"
#include "train/transformer.h"

namespace polyphon {
namespace {

using torch::Tensor;

void expect_same_logits(const TinyModel& tiny) {
  const std::string path = test_file(".gguf");
  write_tiny_model_file(path, tiny);
  const Tokens tokens = random_tokens(60, tiny.vocabulary_size, 4);
  const auto expected = PlainLlama(path, 128, 1, /*exact=*/true).logits(tokens);

  at::set_num_threads(1);
  const BaseWeights weights = load_base_weights(WeightFile(path), Precision::kFloat);
  std::filesystem::remove(path);
  const Lora untrained(weights.shape, {}, 1);
  TokenBatch batch;
  append_plain(batch, tokens);
  const torch::NoGradGuard guard;
  const Tensor found = logits(weights, forward(weights, untrained, batch, {}));
  double largest = 0;
  for (size_t row = 0; row < tokens.size(); ++row) {
    const Tensor other = torch::tensor(expected[row]);
    largest = std::max(largest, other.abs().max().item<double>());
    EXPECT_LT((found[static_cast<int64_t>(row)] - other).abs().max().item<double>(), 2e-4)
        << "row " << row;
  }
  EXPECT_GT(largest, 2);  // the comparison means something
}

TEST(parity, OfATinyLlama) { expect_same_logits({}); }
TEST(parity, OfATinyLlamaWithItsOwnHead) { expect_same_logits({.tied_head = false}); }
TEST(parity, OfATinyLlamaWithRopeFactorsAndScaling) {
  expect_same_logits({.rope_factors = true, .rope_scaling_factor = 4});
}
TEST(parity, OfATinyQwen2) { expect_same_logits({.architecture = "qwen2"}); }
TEST(parity, OfATinyQwen3WithWideHeads) {
  expect_same_logits({.architecture = "qwen3", .head_size = 32, .tied_head = false});
}

// Where the LoRA's B is zero the model is its base, to the bit, in either type.
TEST(parity, AnUntrainedAdapterChangesNoBit) {
  TokenBatch batch;
  append_plain(batch, random_tokens(40, 128, 4));
  const torch::NoGradGuard guard;
  for (const Precision precision : {Precision::kFloat, Precision::kBfloat16}) {
    const BaseWeights weights = tiny_weights({}, precision);
    LoraConfig none;
    none.projections = {"attn_q"};
    const Lora untrained(weights.shape, {}, 1), least(weights.shape, none, 1);
    EXPECT_TRUE(forward(weights, untrained, batch, {}).equal(forward(weights, least, batch, {})));
  }
}

// Packed sequences are as good as alone.
TEST(parity, OfPackedSequencesWithEachAlone) {
  const BaseWeights weights = tiny_weights({}, Precision::kFloat);
  const Lora untrained(weights.shape, {}, 1);
  const torch::NoGradGuard guard;
  TokenBatch packed, first, second;
  const Tokens a = random_tokens(11, 128, 5), b = random_tokens(17, 128, 6);
  append_plain(packed, a);
  append_plain(packed, b);
  append_plain(first, a);
  append_plain(second, b);
  const Tensor together = forward(weights, untrained, packed, {});
  const Tensor apart =
      torch::cat({forward(weights, untrained, first, {}), forward(weights, untrained, second, {})});
  EXPECT_LT((together - apart).abs().max().item<double>(), 1e-5);
}

}  // namespace
}  // namespace polyphon
