// The logistic regression that the heads share. Pure.
#pragma once

#include <cmath>
#include <span>

#include "base/check.h"

namespace polyphon {

// sigmoid(bias + weights . features + hidden_weights . hidden). The last term is left out if one of
// its two vectors is empty; otherwise their sizes must be equal.
inline double logistic(double bias, std::span<const double> weights,
                       std::span<const double> features, std::span<const float> hidden_weights,
                       std::span<const float> hidden) {
  double logit = bias;
  for (size_t i = 0; i < features.size(); ++i) logit += weights[i] * features[i];
  if (!hidden_weights.empty() && !hidden.empty()) {
    POLYPHON_CHECK(hidden_weights.size() == hidden.size());
    for (size_t i = 0; i < hidden.size(); ++i)
      logit += static_cast<double>(hidden_weights[i]) * hidden[i];
  }
  return 1 / (1 + std::exp(-logit));
}

}  // namespace polyphon
