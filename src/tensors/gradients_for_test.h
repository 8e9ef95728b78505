// Gradients against finite differences, in double precision.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/random.h"
#include "tensors/head_parameters.h"

namespace polyphon {

// Compares d loss / d number with (loss(+h) - loss(-h)) / 2h at a few numbers of each parameter, or
// at all where there are no more.
inline void expect_gradients(const NamedParameters& parameters,
                             const std::function<torch::Tensor()>& loss, int64_t most = 12) {
  torch::autograd::variable_list leaves;
  for (const auto& [name, tensor] : parameters) leaves.push_back(tensor);
  const auto gradients = torch::autograd::grad({loss()}, leaves);
  constexpr double kStep = 1e-5;
  Random random(5);
  for (size_t p = 0; p < leaves.size(); ++p) {
    double* const values = leaves[p].data_ptr<double>();
    const int64_t size = leaves[p].numel();
    double largest = 0;
    for (int64_t i = 0; i < std::min(most, size); ++i) {
      const auto at =
          size <= most ? i : static_cast<int64_t>(random.next() % static_cast<uint64_t>(size));
      const torch::NoGradGuard guard;
      const double value = values[at];
      values[at] = value + kStep;
      const double above = loss().item<double>();
      values[at] = value - kStep;
      const double below = loss().item<double>();
      values[at] = value;
      const double expected = (above - below) / (2 * kStep);
      const double found = gradients[p].flatten()[at].item<double>();
      EXPECT_NEAR(found, expected, 1e-7 + 1e-6 * std::abs(expected))
          << parameters[p].first << "[" << at << "]";
      largest = std::max(largest, std::abs(expected));
    }
    EXPECT_GT(largest, 0) << parameters[p].first << " has no effect";
  }
}

}  // namespace polyphon
