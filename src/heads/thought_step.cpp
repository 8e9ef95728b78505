#include "heads/thought_step.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "text/sentences.h"

namespace polyphon {
namespace {

constexpr size_t kFewestTokens = 4;  // a closing mark ends a step only after this many tokens
constexpr int kRepetitionNgram = 3;

}  // namespace

bool ThoughtStep::complete() const {
  const std::string_view words = trim(text);
  if (words.empty()) return false;
  const auto after = static_cast<size_t>(words.data() - text.data()) + words.size();
  if (std::string_view(text).substr(after).find('\n') != std::string_view::npos) return true;
  if (tokens.size() < kFewestTokens) return false;
  if (words.back() == '!' || words.back() == '?') return true;
  const bool after_digit =
      words.size() > 1 && std::isdigit(static_cast<unsigned char>(words[words.size() - 2])) != 0;
  return words.back() == '.' && !after_digit;
}

ValueFeatures features_of(const ThoughtStep& step, const std::string& answer,
                          const StepSurroundings& surroundings) {
  ValueFeatures features;
  features.confidence = std::min(1.0, std::exp(step.mean_logprob()));
  features.certainty = std::exp(-step.mean_entropy());
  features.conclusion = answer.empty() ? 0 : 1;
  const auto& others = surroundings.other_answers;
  if (!answer.empty() && !others.empty())
    features.agreement = static_cast<double>(std::count(others.begin(), others.end(), answer)) /
                         static_cast<double>(others.size());
  features.repetition = share_repeated(step.tokens, surroundings.before, kRepetitionNgram);
  features.room = std::clamp(
      static_cast<double>(surroundings.tokens_left) / std::max(1, surroundings.budget_tokens), 0.0,
      1.0);
  features.line_confidence = std::min(1.0, std::exp(surroundings.line_mean_logprob));
  return features;
}

}  // namespace polyphon
