// A whole training step on another route than the CPU's, with every term of the loss.
#include <gtest/gtest.h>

#include "tensors/tiny_weights_for_test.h"
#include "trainer/batch_loss.h"
#include "trainer/optimizer.h"
#include "trainer/promoted_example_for_test.h"
#include "trainer/promotion_loss.h"

namespace polyphon {
namespace {

using torch::Tensor;

const LoraConfig kConfig{.rank = 2, .alpha = 3, .dropout = 0.2f};

// A plain sequence, and sessions with masks, promotions and streams told apart.
TrainingBatch session_batch() {
  std::vector<Example> examples = {
      {0, random_tokens(21, 128, 3), {{1, 21, 1}}, {}},
      promoted_example(random_tokens(kPromotedRows, 128, 4), 0.5f, 0.5f),
      promoted_example(random_tokens(kPromotedRows, 128, 5), 0.25f, -0.25f)};
  BatchPlan plan(examples, 64, 1);
  DataPosition position;
  return plan.take(position);
}

// What one step computes, and all that is trained by it.
struct Step {
  explicit Step(const BaseWeights& weights)
      : kind(weights.output_norm.options()),
        lora(weights.shape, kConfig, 11, kind),
        base(no_adapter(weights.shape, kind)),
        gate(trainable_gate({}, weights)) {
    const torch::NoGradGuard guard;
    for (const auto& [name, tensor] : lora.parameters())
      if (name.ends_with("lora_b")) Tensor(tensor).fill_(0.1).slice(0, 0, std::nullopt, 2).neg_();
  }
  // Every term weighs one. Returns the sum; gradients are left with the weights.
  Tensor backward(const BaseWeights& weights, bool checkpoint) const {
    const BatchLoss loss = batch_loss(weights, lora, session_batch(),
                                      {.training = true, .seed = 9, .checkpoint = checkpoint},
                                      {.base = &base, .gate = &gate});
    const Tensor total = loss.tokens + loss.divergence + loss.promotion;
    total.backward();
    return total.detach();
  }
  Optimizer::Parameters trained() const {
    Optimizer::Parameters all = lora.parameters();
    for (const auto& parameter : gate.parameters()) all.push_back(parameter);
    return all;
  }

  const at::TensorOptions kind;
  const Lora lora, base;
  const HeadWeights gate;
};

double relative(const Tensor& x, const Tensor& y) {
  return ((x - y).norm() / y.norm()).item<double>();
}

void expect_alike(const std::string& architecture, Precision precision, double limit) {
  BaseWeights weights = tiny_weights({.architecture = architecture}, precision);
  ASSERT_EQ(weights.route, RowRoute::kFused);
  for (const bool checkpoint : {false, true}) {
    weights.route = RowRoute::kFused;
    const Step expected(weights), found(weights);
    const Tensor loss = expected.backward(weights, checkpoint);
    weights.route = RowRoute::kPlain;
    EXPECT_LT(relative(found.backward(weights, checkpoint), loss), limit) << architecture;
    const auto all = found.trained(), all_expected = expected.trained();
    for (size_t i = 0; i < all.size(); ++i) {
      const Tensor &g = all[i].second.grad(), &expected_g = all_expected[i].second.grad();
      EXPECT_GT(expected_g.norm().item<double>(), 0) << all[i].first;
      EXPECT_LT(relative(g, expected_g), 2 * limit) << architecture << " " << all[i].first;
    }
  }
}

TEST(RowRoutes, AgreeOnAStepInDouble) {
  for (const char* architecture : {"llama", "qwen2", "qwen3"})
    expect_alike(architecture, Precision::kDouble, 1e-10);
}

TEST(RowRoutes, AgreeOnAStepInFloat) {
  for (const char* architecture : {"llama", "qwen2", "qwen3"})
    expect_alike(architecture, Precision::kFloat, 1e-4);
}

// Where numbers are rounded at the same places, but not always to the same side.
TEST(RowRoutes, AgreeOnAStepInBfloat16) {
  for (const char* architecture : {"llama", "qwen2", "qwen3"})
    expect_alike(architecture, Precision::kBfloat16, 0.05);
}

}  // namespace
}  // namespace polyphon
