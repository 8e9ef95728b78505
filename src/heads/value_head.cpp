#include "heads/value_head.h"

#include <set>

#include "heads/logistic.h"

namespace polyphon {
double value_of(const ValueHead& head, const ValueFeatures& features,
                std::span<const float> hidden) {
  return logistic(head.bias, head.weights, features.values(), head.hidden_weights, hidden);
}

double share_repeated(std::span<const Token> step, std::span<const Token> before, int n) {
  const auto length = static_cast<size_t>(n);
  if (step.size() < length) return 0;
  std::set<Tokens> seen;
  for (size_t i = 0; i + length <= before.size(); ++i)
    seen.emplace(before.begin() + static_cast<std::ptrdiff_t>(i),
                 before.begin() + static_cast<std::ptrdiff_t>(i + length));
  int repeated = 0;
  const size_t count = step.size() - length + 1;
  for (size_t i = 0; i < count; ++i) {
    const Tokens gram(step.begin() + static_cast<std::ptrdiff_t>(i),
                      step.begin() + static_cast<std::ptrdiff_t>(i + length));
    repeated += !seen.insert(gram).second;
  }
  return static_cast<double>(repeated) / static_cast<double>(count);
}

}  // namespace polyphon
