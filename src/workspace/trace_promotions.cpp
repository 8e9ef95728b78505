#include "workspace/trace_promotions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "heads/gate.h"

namespace polyphon {
namespace {

// What a broadcast promoted, as the gate's decision has it.
const Json& winner_of(const Trace& trace, Step step) {
  for (const TraceDecision& decision : trace.decisions)
    if (decision.kind == "gate" && decision.step == step && decision.detail.at("promoted") == true)
      return decision.detail.at("candidates").at(0);
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("its gate decided on no broadcast at step {}", step));
}

// The last token that the sequence sampled before the position `end`.
void find_last_token(const Trace& trace, int sequence, Position end, TracePromotion& promotion) {
  const TraceSpan* last = nullptr;
  size_t index = 0;
  for (const TraceSpan& span : trace.spans) {
    if (span.sequence != sequence) continue;
    for (size_t i = 0; i < span.tokens.size(); ++i) {
      const auto at = span.begin + static_cast<Position>(i);
      const bool later = !last || at > last->begin + static_cast<Position>(index);
      if (at >= end || std::isnan(span.logprobs[i]) || !later) continue;
      last = &span;
      index = i;
    }
  }
  if (!last) throw Error(ErrorCode::kInvalidArgument, "a promoted candidate has no token");
  promotion.span = last->id;
  promotion.index = static_cast<int>(index);
}

bool is_stream(const Trace& trace, int sequence) {
  return std::any_of(trace.spans.begin(), trace.spans.end(), [&](const TraceSpan& span) {
    return span.sequence == sequence && span.owner.starts_with("stream ");
  });
}

// Streams take in nothing of each other and of registers but what is promoted, so the first such
// join says where the candidate begins; registers that hear of it join the same cells later.
std::vector<size_t> edits_of(const Trace& trace, Step step, int source, Position end) {
  std::vector<size_t> edits;
  std::optional<Position> begin;
  for (size_t i = 0; i < trace.edits.size(); ++i) {
    const TraceEdit& edit = trace.edits[i];
    if (edit.step < step || edit.kind != "join" || edit.source != source || edit.end != end)
      continue;
    if (!begin && is_stream(trace, edit.sequence)) begin = edit.begin;
    if (edit.begin == begin) edits.push_back(i);
  }
  return edits;
}

}  // namespace

std::vector<TracePromotion> trace_promotions(const Trace& trace) {
  std::vector<TracePromotion> promotions;
  if (!trace.result.contains("workspace")) return promotions;
  for (const Json& broadcast : trace.result.at("workspace")) {
    TracePromotion& promotion = promotions.emplace_back();
    const auto step = broadcast.at("step").get<Step>();
    const Json& winner = winner_of(trace, step);
    const int sequence = winner.at("sequence").get<int>();
    const auto end = winner.at("end").get<Position>();
    for (const double value : gate_features_from_json(broadcast.at("features")).values())
      promotion.features.push_back(static_cast<float>(value));
    find_last_token(trace, sequence, end, promotion);
    if (broadcast.at("carried_out") == true) promotion.edits = edits_of(trace, step, sequence, end);
  }
  return promotions;
}

const TracePromotion& promotion_at(const std::vector<TracePromotion>& promotions, int number) {
  if (number < 0 || number >= static_cast<int>(promotions.size()))
    throw Error(ErrorCode::kInvalidArgument, fmt::format("there is no promotion {}", number));
  return promotions[static_cast<size_t>(number)];
}

}  // namespace polyphon
