// The promotion gate: decides how much a candidate is worth an interruption of all streams. A
// linear head over a few features and the candidate's hidden state. Pure functions.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "record/features.h"

namespace polyphon {

// p = sigmoid(bias + weights . features + hidden_weights . hidden). The default weights are
// guesses, not trained: they favour notes that are confident, new and backed by evidence, while the
// streams disagree and early in the phase. They ignore the hidden state.
struct GateHead {
  std::array<double, GateFeatures::kCount> weights = {1.5, 1.5, 1.0, 2.0, -1.0, 1.0};
  double bias = -2.5;
  std::vector<float> hidden_weights;  // [hidden_size], or empty
};

// Probability in (0, 1). `hidden` may be empty; otherwise its size must equal that of
// hidden_weights, if these are not empty.
double promotion_probability(const GateHead& head, const GateFeatures& features,
                             std::span<const float> hidden);

// KL(p || q) in nats. Both are natural log-probabilities of the same tokens.
double kl_divergence(std::span<const float> p, std::span<const float> q);

}  // namespace polyphon
