#include "heads/gate.h"

#include <cmath>

#include "base/check.h"
#include "heads/logistic.h"

namespace polyphon {

double promotion_probability(const GateHead& head, const GateFeatures& features,
                             std::span<const float> hidden) {
  return logistic(head.bias, head.weights, features.values(), head.hidden_weights, hidden);
}

double kl_divergence(std::span<const float> p, std::span<const float> q) {
  POLYPHON_CHECK(p.size() == q.size());
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    const double probability = std::exp(static_cast<double>(p[i]));
    if (probability > 0) sum += probability * (static_cast<double>(p[i]) - q[i]);
  }
  return std::max(0.0, sum);
}

}  // namespace polyphon
