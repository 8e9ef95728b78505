// The operations of bfloat16 rows against the same in double, at sizes with and without a rest
// after whole vectors. That those of double are right, gradient_test.cpp shows.
#include "train/operations.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace polyphon {
namespace {

using torch::Tensor;
using torch::autograd::variable_list;

constexpr double kRounding = 1.0 / 256;  // of a bfloat16, relative

Tensor random_rows(int64_t rows, int64_t size, uint64_t seed) {
  at::set_num_threads(1);
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::empty({rows, size}, torch::kDouble).normal_(0, 1, generator).to(torch::kBFloat16);
}

double relative(const Tensor& x, const Tensor& y) {
  return ((x.to(torch::kDouble) - y.to(torch::kDouble)).norm() / y.to(torch::kDouble).norm())
      .item<double>();
}

Tensor leaf(const Tensor& x, torch::ScalarType type) {
  return x.detach().to(type, false, /*copy=*/true).set_requires_grad(true);
}

class Operations : public ::testing::TestWithParam<int64_t> {};

TEST_P(Operations, SwigluAndItsGradient) {
  const Tensor x = random_rows(7, 2 * GetParam(), 1) * 3, g = random_rows(7, GetParam(), 2);
  const Tensor narrow = leaf(x, torch::kBFloat16), wide = leaf(x, torch::kDouble);
  const Tensor found = swiglu(narrow), expected = swiglu(wide);
  EXPECT_LT(relative(found, expected), kRounding);
  EXPECT_LT(relative(torch::autograd::grad({found}, {narrow}, {g})[0],
                     torch::autograd::grad({expected}, {wide}, {g.to(torch::kDouble)})[0]),
            kRounding);
}

TEST_P(Operations, NormOfASumAndItsGradients) {
  const Tensor x = random_rows(7, GetParam(), 1), delta = random_rows(7, GetParam(), 2);
  const Tensor weight = random_rows(1, GetParam(), 3)[0], g = random_rows(7, GetParam(), 4);
  const auto run = [&](torch::ScalarType row, torch::ScalarType sum) {
    const Tensor a = leaf(x, sum), b = leaf(delta, row);
    const Normed normed = add_norm(a, b, weight.to(sum), 1e-5, row);
    const variable_list gradients =
        torch::autograd::grad({normed.sum, normed.out}, {a, b}, {x.to(sum), g.to(row)});
    return variable_list{normed.sum, normed.out, gradients[0], gradients[1]};
  };
  const variable_list found = run(torch::kBFloat16, torch::kFloat);
  const variable_list expected = run(torch::kDouble, torch::kDouble);
  EXPECT_LT(relative(found[0], expected[0]), 1e-6);  // the stream is of the sum type
  EXPECT_LT(relative(found[1], expected[1]), kRounding);
  EXPECT_LT(relative(found[2], expected[2]), 1e-6);
  EXPECT_LT(relative(found[3], expected[3]), kRounding);
}

TEST_P(Operations, LogProbabilitiesOfTargets) {
  const int64_t vocabulary = 150 + GetParam();
  const Tensor hidden = random_rows(200, 12, 1), output = random_rows(vocabulary, 12, 2);
  const Tensor targets = torch::arange(200).remainder(vocabulary);
  const Tensor narrow = leaf(hidden, torch::kBFloat16), wide = leaf(hidden, torch::kDouble);
  const Tensor found = target_logprobs(narrow, output, targets);
  const Tensor expected = target_logprobs(wide, output.to(torch::kDouble), targets);
  EXPECT_LT(relative(found, expected), kRounding);
  EXPECT_LT(relative(torch::autograd::grad({found.sum()}, {narrow})[0],
                     torch::autograd::grad({expected.sum()}, {wide})[0]),
            2 * kRounding);
}

INSTANTIATE_TEST_SUITE_P(Sizes, Operations, ::testing::Values(1, 15, 16, 64, 100));

// A loss must show that something before it was not a number.
TEST(NoNumber, StaysNone) {
  Tensor x = random_rows(2, 40, 1);
  x[1][7] = std::numeric_limits<float>::quiet_NaN();
  const Tensor out = swiglu(x);
  EXPECT_TRUE(out[1][7].isnan().item<bool>());
  EXPECT_FALSE(out[0].isnan().any().item<bool>());
  const Tensor normed =
      add_norm(x.to(torch::kFloat), {}, torch::ones(40), 1e-5, torch::kBFloat16).out;
  EXPECT_TRUE(normed[1].isnan().all().item<bool>());
  const Tensor logprobs = target_logprobs(normed, random_rows(30, 40, 2), torch::tensor({3, 4}));
  EXPECT_TRUE(logprobs[1].isnan().item<bool>());
  EXPECT_FALSE(logprobs[0].isnan().item<bool>());
}

}  // namespace
}  // namespace polyphon
