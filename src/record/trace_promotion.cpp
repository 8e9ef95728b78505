#include "record/trace_promotion.h"

#include <fmt/format.h>

#include <cmath>

#include "base/error.h"

namespace polyphon {

std::vector<TracePromotion> trace_promotions(const Trace& trace) {
  std::vector<TracePromotion> promotions;
  for (const TraceDecision& decision : trace.decisions) {
    const auto* made = std::get_if<PromotionDecision>(&decision.what);
    if (!made) continue;
    const auto span = static_cast<size_t>(made->span), index = static_cast<size_t>(made->index);
    if (span >= trace.spans.size() || index >= trace.spans[span].tokens.size())
      throw Error(ErrorCode::kInvalidArgument, "a promoted candidate has no token");
    TracePromotion& promotion = promotions.emplace_back();
    promotion.last_token = {made->span, made->index};
    for (const double value : made->features.values())
      promotion.features.push_back(static_cast<float>(value));
    for (size_t edit = 0; edit < trace.edits.size(); ++edit)
      if (trace.edits[edit].promotion == made->promotion) promotion.edits.push_back(edit);
  }
  if (promotions.size() != trace.result.workspace.size())
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("it has {} broadcasts, but decided on {}",
                            trace.result.workspace.size(), promotions.size()));
  return promotions;
}

const TracePromotion& promotion_at(const std::vector<TracePromotion>& promotions, int number) {
  if (number < 0 || number >= static_cast<int>(promotions.size()))
    throw Error(ErrorCode::kInvalidArgument, fmt::format("there is no promotion {}", number));
  return promotions[static_cast<size_t>(number)];
}

std::optional<TokenPlace> last_sampled_token(const Trace& trace, int sequence, Position end) {
  std::optional<TokenPlace> last;
  Position last_position = 0;
  for (const TraceSpan& span : trace.spans) {
    if (span.sequence != sequence) continue;
    for (size_t i = 0; i < span.tokens.size(); ++i) {
      const auto at = span.begin + static_cast<Position>(i);
      if (at >= end || std::isnan(span.logprobs[i]) || (last && at <= last_position)) continue;
      last = {span.id, static_cast<int>(i)};
      last_position = at;
    }
  }
  return last;
}

}  // namespace polyphon
