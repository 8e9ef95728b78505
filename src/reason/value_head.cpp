#include "reason/value_head.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/check.h"
#include "reason/logistic.h"

namespace polyphon {
namespace {

double perceptron(const ValueHead& head, std::span<const float> hidden) {
  POLYPHON_CHECK(head.b1.size() == head.w2.size() &&
                 head.w1.size() == head.w2.size() * hidden.size());
  double sum = 0;
  for (size_t unit = 0; unit < head.w2.size(); ++unit) {
    double activation = head.b1[unit];
    const auto row = std::span(head.w1).subspan(unit * hidden.size(), hidden.size());
    for (size_t i = 0; i < hidden.size(); ++i)
      activation += static_cast<double>(row[i]) * hidden[i];
    sum += head.w2[unit] * std::max(0.0, activation);
  }
  return sum;
}

}  // namespace

Json to_json(const ValueFeatures& features) {
  return {{"confidence", features.confidence},          {"certainty", features.certainty},
          {"conclusion", features.conclusion},          {"agreement", features.agreement},
          {"repetition", features.repetition},          {"room", features.room},
          {"line_confidence", features.line_confidence}};
}

ValueFeatures value_features_from_json(const Json& json) {
  const auto number = [&](const char* name) { return json.at(name).get<double>(); };
  return {number("confidence"), number("certainty"), number("conclusion"),     number("agreement"),
          number("repetition"), number("room"),      number("line_confidence")};
}

double value_of(const ValueHead& head, const ValueFeatures& features,
                std::span<const float> hidden) {
  const double added = !head.w2.empty() && !hidden.empty() ? perceptron(head, hidden) : 0;
  return logistic(head.bias + added, head.weights, features.values(), {}, {});
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
