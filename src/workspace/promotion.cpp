#include "workspace/promotion.h"

#include <algorithm>

#include "heads/gate.h"
#include "streams/stream_phase.h"
#include "text/sentences.h"

namespace polyphon {

std::string reconsider_cue() { return "\nWait,"; }

Promotion::Promotion(const ThinkContext& context, int number, const Candidate& candidate,
                     std::vector<Stream>& streams)
    : context_(context), number_(number), candidate_(candidate) {
  for (Stream& stream : streams) {
    if (stream.ended() || stream.sequence == candidate.sequence) continue;
    Effect& effect = effects_.emplace_back();
    effect.stream = stream.id;
    if (may_interrupt(stream)) reach(stream, effect);
  }
}

// Whether the stream thinks and has decoded everything but its last sampled token.
bool Promotion::may_interrupt(const Stream& stream) const {
  const SessionViews& views = *context_.views;
  return !stream.ended() && !stream.searching() && !stream.tokens.empty() &&
         views.next_position(stream.sequence) == views.end_position(stream.sequence) + 1;
}

// The note joins before the stream's last token is decoded; the probe decodes this token without
// it.
void Promotion::reach(Stream& stream, Effect& effect) {
  SessionViews& views = *context_.views;
  effect.reached = true;
  effect.text_begin = stream.text.text().size();
  if (context_.options.workspace.measure_effect) {
    effect.probe = views.open();
    views.join(stream.sequence, effect.probe, 0, views.end_position(stream.sequence));
    views.feed(effect.probe, {stream.tokens.back()},
               SpanOwner::of_stream(SpanKind::kProbe, stream.id));
    auto sampler = std::make_unique<Sampler>(SamplingParams{}, nullptr, false);
    sampler->keep_distribution();
    views.generate(effect.probe, std::move(sampler),
                   SpanOwner::of_stream(SpanKind::kProbe, stream.id));
    views.sampler(stream.sequence)->keep_distribution();
  }
  views.join(candidate_.sequence, stream.sequence, candidate_.begin, candidate_.end, number_);
}

void Promotion::cue(Stream& stream, Effect& effect) {
  effect.cued = true;
  interject(context_, stream, reconsider_cue());
  effect.text_begin = stream.text.text().size();
}

bool Promotion::owns(SequenceNumber sequence) const {
  return std::any_of(effects_.begin(), effects_.end(),
                     [&](const Effect& e) { return e.probe == sequence; });
}

void Promotion::on_token(SequenceNumber sequence) {
  Effect& effect = *std::find_if(effects_.begin(), effects_.end(),
                                 [&](const Effect& e) { return e.probe == sequence; });
  effect.without = context_.views->sampler(sequence)->take_distribution();
  context_.views->close(sequence);
  effect.probe = -1;
}

bool Promotion::after_step(std::vector<Stream>& streams) {
  bool done = true;
  for (Effect& effect : effects_) {
    Stream& stream = *std::find_if(streams.begin(), streams.end(),
                                   [&](const Stream& s) { return s.id == effect.stream; });
    Sampler* const sampler =
        // A searching stream has no sampler.
        stream.ended() ? nullptr : context_.views->sampler(stream.sequence);
    if (effect.with.empty() && sampler) effect.with = sampler->take_distribution();
    if (!effect.cued && may_interrupt(stream))
      effect.reached ? cue(stream, effect) : reach(stream, effect);
    if (!effect.with.empty() && !effect.without.empty()) {
      effect.kl = kl_divergence(effect.with, effect.without);
      effect.with = {};
      effect.without = {};
    }
    const bool known = effect.kl >= 0 || !context_.options.workspace.measure_effect;
    done = done && (stream.ended() || (effect.cued && known));
  }
  return done;
}

void Promotion::abandon() {
  for (Effect& effect : effects_)
    if (effect.probe >= 0) context_.views->close(std::exchange(effect.probe, -1));
}

std::vector<StreamReaction> Promotion::reactions(const std::vector<Stream>& streams) const {
  std::vector<StreamReaction> reactions;
  for (const Effect& effect : effects_) {
    if (!effect.reached) continue;
    const Stream& stream = *std::find_if(streams.begin(), streams.end(),
                                         [&](const Stream& s) { return s.id == effect.stream; });
    const std::string_view after = std::string_view(stream.text.text()).substr(effect.text_begin);
    const auto said = sentences(after);
    reactions.push_back({effect.stream, effect.kl < 0 ? std::nullopt : std::optional(effect.kl),
                         said.empty() ? "" : std::string(said.front())});
  }
  return reactions;
}

}  // namespace polyphon
