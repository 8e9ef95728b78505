// The trainer's forward pass against stock libllama's, on tiny random models in float, where both
// should agree to the rounding of sums. On real models and recorded sessions: tests/parity_test.py.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "model/plain_llama.h"
#include "record/trace_builder_for_test.h"
#include "record/trace_example.h"
#include "record/trace_layout.h"
#include "tensors/operations.h"
#include "tensors/tiny_weights_for_test.h"
#include "tensors/transformer.h"
#include "trainer/batch_plan.h"

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

Tensor states(const BaseWeights& weights, const Lora& lora, const Example& example) {
  TokenBatch batch;
  append(batch, example);
  return forward(weights, lora, batch, {});
}

// A line of thought cut into runs is the same computation, and the same kernels do it.
TEST(parity, OfAPlainSequenceWithTheSameInRuns) {
  const torch::NoGradGuard guard;
  const Example plain{0, random_tokens(40, 128, 4), {}, {}};
  Example runs = plain;
  runs.runs = {{0, 7, 0, {}}, {7, 30, 7, {{0, 7}}}, {30, 40, 30, {{0, 30}}}};
  for (const Precision precision : {Precision::kFloat, Precision::kBfloat16}) {
    const BaseWeights weights = tiny_weights({}, precision);
    const Lora lora(weights.shape, {}, 1);
    fill_b(lora, 0.1);
    const Tensor expected = states(weights, lora, plain), found = states(weights, lora, runs);
    EXPECT_TRUE(found.equal(expected));
    const Tensor targets = torch::tensor(std::vector<int64_t>(40, 3));
    EXPECT_TRUE(target_logprobs(found, weights.output, targets, weights.route)
                    .equal(target_logprobs(expected, weights.output, targets, weights.route)));
  }
}

// Streams that share their prompt's rows compute what each does alone.
TEST(parity, OfStreamsInOneExampleWithEachAlone) {
  const BaseWeights weights = tiny_weights({}, Precision::kFloat);
  const Lora lora(weights.shape, {}, 1);
  const torch::NoGradGuard guard;
  Example both{0, random_tokens(30, 128, 5), {}, {}};
  both.runs = {{0, 10, 0, {}}, {10, 18, 10, {{0, 10}}}, {18, 30, 10, {{0, 10}}}};
  Example first{0, {both.tokens.begin(), both.tokens.begin() + 18}, {}, {}}, second = first;
  second.tokens.resize(10);
  second.tokens.insert(second.tokens.end(), both.tokens.begin() + 18, both.tokens.end());
  const Tensor together = states(weights, lora, both);
  const auto expect_same = [&](const Tensor& found, const Tensor& alone) {
    EXPECT_LT((found - alone).abs().max().item<double>(), 1e-5);
  };
  expect_same(together.narrow(0, 0, 18), states(weights, lora, first));
  expect_same(together.narrow(0, 18, 12), states(weights, lora, second).narrow(0, 10, 12));
}

// Runs in a session's example stand in another order than in its layout, and compute the same.
TEST(parity, OfATraceExampleWithTheTracesLayout) {
  const BaseWeights weights = tiny_weights({.vocabulary_size = 512}, Precision::kFloat);
  const Lora lora(weights.shape, {}, 1);
  const torch::NoGradGuard guard;
  Trace trace = two_streams();
  for (TraceSpan& span : trace.spans) span.logprobs.assign(span.tokens.size(), -1);
  const TraceLayout layout = lay_out(trace);
  const TokenBatch batch{layout.tokens, layout.positions, {{0, layout.rows(), layout.visibility}}};
  const Tensor expected = forward(weights, lora, batch, {});
  TraceExample learnt(trace);
  for (int span = 0; span < 5; ++span) learnt.learn(span, 1);
  const Example example = learnt.example();
  ASSERT_EQ(example.rows(), layout.rows());
  ASSERT_NE(example.tokens, layout.tokens);
  const Tensor found = states(weights, lora, example);
  for (int row = 0; row < layout.rows(); ++row) {
    const auto there = std::find(example.tokens.begin(), example.tokens.end(),
                                 layout.tokens[static_cast<size_t>(row)]) -
                       example.tokens.begin();
    EXPECT_LT((found[there] - expected[row]).abs().max().item<double>(), 1e-5) << row;
  }
}

}  // namespace
}  // namespace polyphon
