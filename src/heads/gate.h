// The promotion gate: how worthwhile it is to interrupt all streams with one candidate. A linear
// head over a few features and the candidate's hidden state; pure functions.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "record/features.h"

namespace polyphon {

// p = sigmoid(bias + weights . features + hidden_weights . hidden). The starting values stand for
// no training, only for what one would guess: sure, new, ripe notes while the streams disagree, and
// rather early than late. Nothing of the hidden state.
struct GateHead {
  std::array<double, GateFeatures::kCount> weights = {1.5, 1.5, 1.0, 2.0, -1.0, 1.0};
  double bias = -2.5;
  std::vector<float> hidden_weights;  // [hidden_size], or empty
};

// `hidden` may be empty; else it must be as long as the head's weights, if those are not empty.
double promotion_probability(const GateHead& head, const GateFeatures& features,
                             std::span<const float> hidden);

// KL(p || q) in nats of two distributions given as natural log-probabilities of the same tokens.
double kl_divergence(std::span<const float> p, std::span<const float> q);

}  // namespace polyphon
