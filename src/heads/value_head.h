// What the end of a thought step is worth: an estimate of the probability that its line of thought
// comes to the right answer. A linear head over a few features and the step's last hidden state.
// Pure functions.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "core/token.h"
#include "record/features.h"

namespace polyphon {

// value = sigmoid(bias + weights . features + hidden_weights . hidden). The starting values stand
// for no training, only for what one would guess: sure and new steps, answers that others share.
// Nothing of the hidden state.
struct ValueHead {
  std::array<double, ValueFeatures::kCount> weights = {2.0, 1.0, 0.5, 1.5, -2.5, 0.25, 0.0};
  double bias = -1.5;
  std::vector<float> hidden_weights;  // [hidden_size], or empty
};

// In (0, 1). `hidden` may be empty; else it must be as long as the head's weights, if those are not
// empty.
double value_of(const ValueHead& head, const ValueFeatures& features,
                std::span<const float> hidden);

// Share of the n-grams of `step` that `before` holds, or that `step` itself repeats; 0 when it has
// none.
double share_repeated(std::span<const Token> step, std::span<const Token> before, int n);

}  // namespace polyphon
