// Against libtorch's own attention, with segments longer than a block of queries.
#include "tensors/self_attention.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/random.h"

namespace polyphon {
namespace {

using torch::Tensor;
using torch::autograd::variable_list;

constexpr int kFirst = 291, kSecond = 77;  // rows of two segments, neither of whole blocks
const ModelShape kShape{
    .architecture = "llama", .heads = 6, .kv_heads = 2, .head_size = 24, .rope_size = 16};

Tensor random_tensor(at::IntArrayRef sizes, uint64_t seed) {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::empty(sizes, torch::kDouble).normal_(0, 1, generator);
}

// Turns nothing, so that libtorch's attention of the same rows is the reference.
RopeTable no_turn(torch::ScalarType type) {
  return {torch::ones({kFirst + kSecond, kShape.rope_size}, type),
          torch::zeros({kFirst + kSecond, kShape.rope_size}, type)};
}

std::vector<Segment> segments() {
  Random random(4);
  Visibility seen(kSecond);
  for (int row = 0; row < kSecond; ++row)
    for (int column = 0; column <= row; ++column)
      if (column == row || random.uniform() < 0.5) seen.let_see(row, column);
  return {{0, kFirst, std::nullopt}, {kFirst, kFirst + kSecond, seen}};
}

Tensor reference(const Tensor& qkv, const Tensor& mask) {
  const int64_t group = kShape.heads / kShape.kv_heads;
  const Tensor heads = qkv.unflatten(1, {-1, kShape.head_size}).transpose(0, 1).unsqueeze(0);
  const auto parts = heads.split_with_sizes({kShape.heads, kShape.kv_heads, kShape.kv_heads}, 1);
  std::vector<Tensor> results;
  for (int i = 0; i < 2; ++i) {
    const int64_t begin = i == 0 ? 0 : kFirst, count = i == 0 ? kFirst : kSecond;
    const auto part = [&](const Tensor& x, int64_t times) {
      return x.narrow(2, begin, count).repeat_interleave(times, 1);
    };
    const auto with = i == 0 ? std::optional<Tensor>() : mask;
    results.push_back(at::scaled_dot_product_attention(part(parts[0], 1), part(parts[1], group),
                                                       part(parts[2], group), with, 0.0, i == 0)
                          .squeeze(0)
                          .transpose(0, 1)
                          .flatten(1));
  }
  return at::cat(results);
}

struct Case {
  Tensor qkv =
      random_tensor({kFirst + kSecond, (kShape.heads + 2 * kShape.kv_heads) * kShape.head_size}, 1);
  Tensor bias = random_tensor({kSecond, kSecond}, 2);
  Tensor out_gradient = random_tensor({kFirst + kSecond, kShape.heads * kShape.head_size}, 3);
};

class SelfAttention : public ::testing::TestWithParam<RowRoute> {};
INSTANTIATE_TEST_SUITE_P(Routes, SelfAttention,
                         ::testing::Values(RowRoute::kFused, RowRoute::kPlain));

TEST_P(SelfAttention, IsLibtorchsInDoubleWithItsGradients) {
  at::set_num_threads(1);
  Case a;
  a.qkv.set_requires_grad(true);
  a.bias.set_requires_grad(true);
  const Tensor mask = attention_mask(segments()[1], a.bias, torch::kDouble);
  const Tensor expected = reference(a.qkv, mask);
  const Tensor found = self_attention(a.qkv, no_turn(torch::kDouble), kShape, segments(),
                                      {Tensor(), mask}, GetParam());
  EXPECT_LT((found - expected).abs().max().item<double>(), 1e-12);
  const auto expected_g =
      torch::autograd::grad({expected}, {a.qkv, a.bias}, {a.out_gradient}, /*retain_graph=*/true);
  const auto found_g = torch::autograd::grad({found}, {a.qkv, a.bias}, {a.out_gradient});
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_GT(expected_g[i].abs().max().item<double>(), 0.1);
    EXPECT_LT((found_g[i] - expected_g[i]).abs().max().item<double>(), 1e-12) << i;
  }
}

TEST_P(SelfAttention, OfBfloat16IsNearThatOfDouble) {
  at::set_num_threads(1);
  Case a;
  const Tensor rounded = a.qkv.to(torch::kBFloat16).set_requires_grad(true);
  const Tensor wide = rounded.detach().to(torch::kDouble).set_requires_grad(true);
  const Tensor out_g = a.out_gradient.to(torch::kBFloat16);
  const Tensor mask = attention_mask(segments()[1], Tensor(), torch::kDouble);
  const Tensor expected = reference(wide, mask);
  const Tensor found = self_attention(rounded, no_turn(torch::kFloat), kShape, segments(),
                                      {Tensor(), mask.to(torch::kFloat)}, GetParam());
  const auto relative = [](const Tensor& x, const Tensor& y) {
    return ((x.to(torch::kDouble) - y).norm() / y.norm()).item<double>();
  };
  EXPECT_LT(relative(found, expected), 4e-3);
  const auto expected_g = torch::autograd::grad({expected}, {wide}, {out_g.to(torch::kDouble)});
  const auto found_g = torch::autograd::grad({found}, {rounded}, {out_g});
  EXPECT_LT(relative(found_g[0], expected_g[0]), 1e-2);
}

// Both kinds of pairs, and heads of which a part is not turned.
TEST(SelfAttentionRoutes, TurnAlike) {
  at::set_num_threads(1);
  Case a;
  a.qkv.set_requires_grad(true);
  for (const RopePairs pairs : {RopePairs::kNeighbours, RopePairs::kHalves})
    for (const int rope_size : {16, 24}) {
      ModelShape shape = kShape;
      shape.rope_pairs = pairs;
      shape.rope_size = rope_size;
      const Tensor angles = random_tensor({kFirst + kSecond, rope_size}, 5);
      const RopeTable table = {angles.cos(), angles.sin()};
      const auto run = [&](RowRoute route) {
        const Tensor out = self_attention(
            a.qkv, table, shape, segments(),
            {Tensor(), attention_mask(segments()[1], Tensor(), torch::kDouble)}, route);
        return variable_list{out, torch::autograd::grad({out}, {a.qkv}, {a.out_gradient})[0]};
      };
      const variable_list found = run(RowRoute::kPlain), expected = run(RowRoute::kFused);
      for (size_t i = 0; i < 2; ++i)
        EXPECT_LT((found[i] - expected[i]).abs().max().item<double>(), 1e-12) << rope_size << i;
    }
}

}  // namespace
}  // namespace polyphon
