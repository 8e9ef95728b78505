#include "record/format_1.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/error.h"
#include "record/codec.h"
#include "record/trace_promotion.h"

namespace polyphon {
namespace {

std::vector<TraceDecision>::iterator gate_of(Trace& trace, Step step) {
  return std::find_if(
      trace.decisions.begin(), trace.decisions.end(), [&](const TraceDecision& decision) {
        const auto* gate = std::get_if<GateDecision>(&decision.what);
        return gate && decision.step == step && gate->promoted && !gate->candidates.empty();
      });
}

bool is_stream(const Trace& trace, int sequence) {
  return std::any_of(trace.spans.begin(), trace.spans.end(), [&](const TraceSpan& span) {
    return span.sequence == sequence && span.owner.kind == SpanKind::kStream;
  });
}

// A stream's view receives cells of another stream or of a register only by promotion. So the first
// join from the winner's sequence into a stream tells where the candidate begins. Registers that
// get the promotion join the same cells later.
void number_edits(Trace& trace, const Broadcast& broadcast, const GateCandidate& winner) {
  std::optional<Position> begin;
  for (TraceEdit& edit : trace.edits) {
    if (edit.step < broadcast.step || edit.kind != EditKind::kJoin ||
        edit.source != winner.sequence || edit.end != winner.end)
      continue;
    if (!begin && is_stream(trace, edit.sequence)) begin = edit.begin;
    if (edit.begin == begin) edit.promotion = broadcast.promotion;
  }
}

}  // namespace

void upgrade_format_1(Json& json) {
  const auto spans = json.find("spans");
  if (spans == json.end() || !spans->is_array()) return;
  for (Json& span : *spans) {
    if (!span.is_object() || !span.contains("owner") || !span["owner"].is_string()) continue;
    try {
      span["owner"] = to_json(parse_span_owner(span["owner"].get_ref<const std::string&>()));
    } catch (const Error&) {  // the reader of format 2 reports it
    }
  }
}

void upgrade_format_1(Trace& trace) {
  for (const Broadcast& broadcast : trace.result.workspace) {
    const auto gate = gate_of(trace, broadcast.step);
    if (gate == trace.decisions.end()) continue;
    const GateCandidate winner = std::get<GateDecision>(gate->what).candidates.front();
    const auto last = last_sampled_token(trace, winner.sequence, winner.end);
    if (!last) continue;
    trace.decisions.insert(
        std::next(gate),
        {broadcast.step, PromotionDecision{broadcast.promotion, broadcast.carried_out,
                                           broadcast.features, last->span, last->index}});
    if (broadcast.carried_out) number_edits(trace, broadcast, winner);
  }
}

}  // namespace polyphon
