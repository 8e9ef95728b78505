// The operations of both routes against the fused ones of double, at sizes with and without a rest
// after whole vectors. That those are right, gradient_test.cpp shows.
#include "tensors/operations.h"

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

struct Case {
  RowRoute route;
  torch::ScalarType type;  // of rows
  int64_t size;
};

class Operations : public ::testing::TestWithParam<Case> {
 protected:
  const RowRoute route_ = GetParam().route;
  const torch::ScalarType type_ = GetParam().type;
  const torch::ScalarType sum_type_ = type_ == torch::kDouble ? torch::kDouble : torch::kFloat;
  const int64_t size_ = GetParam().size;
  // Of what is rounded once to the type of rows, and of what is only summed.
  const double sum_limit_ = type_ == torch::kDouble ? 1e-12 : 1e-6;
  const double limit_ = type_ == torch::kBFloat16 ? kRounding : sum_limit_;
};

TEST_P(Operations, SwigluAndItsGradient) {
  const Tensor x = random_rows(7, 2 * size_, 1) * 3, g = random_rows(7, size_, 2);
  const Tensor given = leaf(x, type_), wide = leaf(x, torch::kDouble);
  const Tensor found = swiglu(given, route_), expected = swiglu(wide, RowRoute::kFused);
  EXPECT_EQ(found.scalar_type(), type_);
  EXPECT_LT(relative(found, expected), limit_);
  EXPECT_LT(relative(torch::autograd::grad({found}, {given}, {g.to(type_)})[0],
                     torch::autograd::grad({expected}, {wide}, {g.to(torch::kDouble)})[0]),
            limit_);
}

TEST_P(Operations, NormOfASumAndItsGradients) {
  const Tensor x = random_rows(7, size_, 1), delta = random_rows(7, size_, 2);
  const Tensor weight = random_rows(1, size_, 3)[0], g = random_rows(7, size_, 4);
  const auto run = [&](torch::ScalarType row, torch::ScalarType sum, RowRoute route) {
    const Tensor a = leaf(x, sum), b = leaf(delta, row);
    const Normed normed = add_norm(a, b, weight.to(sum), 1e-5, row, route);
    EXPECT_EQ(normed.out.scalar_type(), row);
    const variable_list gradients =
        torch::autograd::grad({normed.sum, normed.out}, {a, b}, {x.to(sum), g.to(row)});
    return variable_list{normed.sum, normed.out, gradients[0], gradients[1]};
  };
  const variable_list found = run(type_, sum_type_, route_);
  const variable_list expected = run(torch::kDouble, torch::kDouble, RowRoute::kFused);
  EXPECT_LT(relative(found[0], expected[0]), sum_limit_);  // the stream is of the sum type
  EXPECT_LT(relative(found[1], expected[1]), limit_);
  EXPECT_LT(relative(found[2], expected[2]), sum_limit_);
  EXPECT_LT(relative(found[3], expected[3]), limit_);
}

TEST_P(Operations, NormAloneAndItsGradient) {
  const Tensor x = random_rows(7, size_, 1), g = random_rows(7, size_, 4);
  const Tensor weight = random_rows(1, size_, 3)[0];
  const auto run = [&](torch::ScalarType row, torch::ScalarType sum, RowRoute route) {
    const Tensor a = leaf(x, sum);
    const Tensor out = add_norm(a, {}, weight.to(sum), 1e-5, row, route).out;
    return variable_list{out, torch::autograd::grad({out}, {a}, {g.to(row)})[0]};
  };
  const variable_list found = run(type_, sum_type_, route_);
  const variable_list expected = run(torch::kDouble, torch::kDouble, RowRoute::kFused);
  EXPECT_LT(relative(found[0], expected[0]), limit_);
  // Of one number the gradient is the difference of two that are alike.
  if (size_ > 1) EXPECT_LT(relative(found[1], expected[1]), 4 * sum_limit_);
}

TEST_P(Operations, LogProbabilitiesOfTargets) {
  const int64_t vocabulary = 150 + size_;
  const Tensor hidden = random_rows(200, 12, 1), output = random_rows(vocabulary, 12, 2);
  const Tensor targets = torch::arange(200).remainder(vocabulary);
  const Tensor given = leaf(hidden, type_), wide = leaf(hidden, torch::kDouble);
  const Tensor found = target_logprobs(given, output.to(type_), targets, route_);
  const Tensor expected =
      target_logprobs(wide, output.to(torch::kDouble), targets, RowRoute::kFused);
  EXPECT_EQ(found.scalar_type(), sum_type_);
  EXPECT_LT(relative(found, expected), limit_);
  EXPECT_LT(relative(torch::autograd::grad({found.sum()}, {given})[0],
                     torch::autograd::grad({expected.sum()}, {wide})[0]),
            2 * limit_);
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const int64_t size : {1, 15, 16, 64, 100}) {
    all.push_back({RowRoute::kFused, torch::kBFloat16, size});
    for (const auto type : {torch::kBFloat16, torch::kFloat, torch::kDouble})
      all.push_back({RowRoute::kPlain, type, size});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Routes, Operations, ::testing::ValuesIn(cases()), [](const auto& of) {
  return std::string(of.param.route == RowRoute::kFused ? "Fused" : "Plain") +
         c10::toString(of.param.type) + std::to_string(of.param.size);
});

// A loss must show that something before it was not a number.
TEST(NoNumber, StaysNone) {
  for (const RowRoute route : {RowRoute::kFused, RowRoute::kPlain}) {
    Tensor x = random_rows(2, 40, 1);
    x[1][7] = std::numeric_limits<float>::quiet_NaN();
    const Tensor out = swiglu(x, route);
    EXPECT_TRUE(out[1][7].isnan().item<bool>());
    EXPECT_FALSE(out[0].isnan().any().item<bool>());
    const Tensor normed =
        add_norm(x.to(torch::kFloat), {}, torch::ones(40), 1e-5, torch::kBFloat16, route).out;
    EXPECT_TRUE(normed[1].isnan().all().item<bool>());
    const Tensor logprobs =
        target_logprobs(normed, random_rows(30, 40, 2), torch::tensor({3, 4}), route);
    EXPECT_TRUE(logprobs[1].isnan().item<bool>());
    EXPECT_FALSE(logprobs[0].isnan().item<bool>());
  }
}

}  // namespace
}  // namespace polyphon
