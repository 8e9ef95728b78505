// The value head: estimates, at the end of a thought step, the probability that its line of thought
// comes to the right answer. A linear head over a few features and the step's last hidden state.
// Pure functions.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "core/token.h"
#include "record/features.h"

namespace polyphon {

// value = sigmoid(bias + weights . features + hidden_weights . hidden). The default weights are
// guesses, not trained: they favour confident, new steps and answers that others share. They ignore
// the hidden state.
struct ValueHead {
  std::array<double, ValueFeatures::kCount> weights = {2.0, 1.0, 0.5, 1.5, -2.5, 0.25, 0.0};
  double bias = -1.5;
  std::vector<float> hidden_weights;  // [hidden_size], or empty
};

// Value in (0, 1). `hidden` may be empty; otherwise its size must equal that of hidden_weights, if
// these are not empty.
double value_of(const ValueHead& head, const ValueFeatures& features,
                std::span<const float> hidden);

// Share of the n-grams of `step` that are in `before` or earlier in `step`; 0 if `step` has none.
double share_repeated(std::span<const Token> step, std::span<const Token> before, int n);

}  // namespace polyphon
