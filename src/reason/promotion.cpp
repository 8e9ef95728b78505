#include "reason/promotion.h"

#include <fmt/format.h>

#include <algorithm>

#include "reason/gate.h"
#include "reason/sentences.h"
#include "reason/stream_phase.h"

namespace polyphon {

std::string reconsider_cue() { return "\nWith that note in mind, let me check. "; }

Promotion::Promotion(const ThinkContext& context, const Candidate& candidate,
                     std::vector<Stream>& streams)
    : context_(context) {
  SessionViews& views = *context.views;
  const Tokens cue = context.tokenize(reconsider_cue());
  for (Stream& stream : streams) {
    if (stream.ended() || stream.sequence == candidate.sequence) continue;
    Effect& effect = effects_.emplace_back();
    effect.stream = stream.id;
    effect.sequence = stream.sequence;
    if (context.options.workspace.measure_effect) {
      effect.probe = views.open();
      views.join(stream.sequence, effect.probe, 0, views.end_position(stream.sequence));
      // The stream's last token is sampled but not decoded yet.
      Tokens unread = cue;
      if (!stream.tokens.empty()) unread.insert(unread.begin(), stream.tokens.back());
      views.feed(effect.probe, unread, fmt::format("probe {}", stream.id));
      auto sampler = std::make_unique<Sampler>(SamplingParams{}, nullptr, false);
      sampler->keep_distribution();
      views.generate(effect.probe, std::move(sampler), fmt::format("probe {}", stream.id));
      views.sampler(stream.sequence)->keep_distribution();
    }
    views.join(candidate.sequence, stream.sequence, candidate.begin, candidate.end);
    interject(context, stream, reconsider_cue());
    effect.text_begin = stream.text.text().size();
  }
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

bool Promotion::after_step(const std::vector<Stream>& streams) {
  bool measured = true;
  for (Effect& effect : effects_) {
    const Stream& stream = *std::find_if(streams.begin(), streams.end(),
                                         [&](const Stream& s) { return s.id == effect.stream; });
    if (effect.with.empty() && !stream.ended())
      effect.with = context_.views->sampler(stream.sequence)->take_distribution();
    if (!effect.with.empty() && !effect.without.empty()) {
      effect.kl = kl_divergence(effect.with, effect.without);
      effect.with = {};
      effect.without = {};
    }
    measured = measured &&
               (effect.kl >= 0 || stream.ended() || !context_.options.workspace.measure_effect);
  }
  return measured;
}

void Promotion::abandon() {
  for (Effect& effect : effects_)
    if (effect.probe >= 0) context_.views->close(std::exchange(effect.probe, -1));
}

Json Promotion::reactions(const std::vector<Stream>& streams) const {
  Json reactions = Json::array();
  for (const Effect& effect : effects_) {
    const Stream& stream = *std::find_if(streams.begin(), streams.end(),
                                         [&](const Stream& s) { return s.id == effect.stream; });
    const std::string_view after = std::string_view(stream.text.text()).substr(effect.text_begin);
    const auto said = sentences(after);
    reactions.push_back({{"id", effect.stream},
                         {"kl", effect.kl < 0 ? Json() : Json(effect.kl)},
                         {"next", said.empty() ? "" : std::string(said.front())}});
  }
  return reactions;
}

}  // namespace polyphon
