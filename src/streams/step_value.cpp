#include "streams/step_value.h"

#include <algorithm>
#include <utility>

#include "text/answer_extraction.h"

namespace polyphon {

StepValue value_of_step(const ThinkContext& context, const StreamPhase& phase, const Stream& stream,
                        const ThoughtStep& step, StepPlace place, std::span<const float> hidden) {
  StepSurroundings around;
  const auto looked_back = place.before.last(std::min(place.before.size(), kTokensLookedBack));
  around.before.assign(looked_back.begin(), looked_back.end());
  around.tokens_left = place.tokens_left;
  around.budget_tokens = stream.budget_tokens;
  around.line_mean_logprob = place.line_mean_logprob;
  around.other_answers = std::move(place.other_answers);
  for (const Stream& other : phase.streams()) {
    if (place.answer.empty() || other.id == stream.id) continue;
    const std::string stated = other.ended() ? other.answer : explicit_answer(other.text.text());
    if (!stated.empty()) around.other_answers.push_back(normalise_answer(stated));
  }
  StepValue result;
  result.features = features_of(step, normalise_answer(place.answer), around);
  result.value = !place.answer.empty() && context.options.answer_value
                     ? std::clamp(context.options.answer_value(place.answer), 0.0, 1.0)
                     : value_of(context.heads->value, result.features, hidden);
  return result;
}

}  // namespace polyphon
