#include "streams/stream_phase.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/seeds.h"
#include "streams/script.h"
#include "text/answer_extraction.h"
#include "text/memory_markers.h"

namespace polyphon {

void interject(const ThinkContext& context, Stream& stream, const std::string& cue) {
  context.views->feed(stream.sequence, context.tokenize(cue),
                      SpanOwner::of_stream(SpanKind::kCue, stream.id), stream.strategy.name);
  std::string text = stream.text.push(cue);
  if (!text.empty()) context.events->push(ThoughtDelta{stream.id, std::move(text)});
}

void generate(const ThinkContext& context, Stream& stream, const SamplingParams& sampling,
              std::unique_ptr<Grammar> script) {
  auto sampler = std::make_unique<Sampler>(sampling, std::move(script), true);
  sampler->observe(stream.tokens);
  if (context.request.search.on()) sampler->measure_entropy();
  context.views->generate(stream.sequence, std::move(sampler),
                          SpanOwner::of_stream(SpanKind::kStream, stream.id), stream.strategy.name);
}

StreamPhase::StreamPhase(const ThinkContext& context, int phase, const Phase& shape,
                         int first_stream, SequenceNumber base, bool watches_collapse)
    : context_(context),
      phase_(phase),
      base_end_(context.views->next_position(base)),
      agreement_(context.options.agreement, shape.streams) {
  if (watches_collapse && shape.streams > 1)
    watch_.emplace(context.options.collapse, shape.streams);
  for (int i = 0; i < shape.streams; ++i) start(i, first_stream + i, shape, base);
}

void StreamPhase::start(int index, int id, const Phase& shape, SequenceNumber base) {
  const auto& strategies = context_.options.strategies;
  SessionViews& views = *context_.views;
  Stream& stream = streams_.emplace_back();
  stream.id = id;
  stream.phase = phase_;
  stream.strategy = strategies[static_cast<size_t>(id) % strategies.size()];
  stream.budget_tokens = shape.tokens;
  stream.sequence = views.open();

  SamplingParams sampling = context_.request.sampling;
  sampling.seed = seeds::kStreams.of(sampling.seed, static_cast<uint64_t>(id));
  if (shape.streams > 1) {
    const double rung = static_cast<double>(index) / (shape.streams - 1) - 0.5;
    sampling.temperature =
        std::max(0.0f, sampling.temperature +
                           static_cast<float>(rung * context_.options.temperature_ladder));
  }
  views.join(base, stream.sequence, 0, base_end_);
  std::string preamble = stream.strategy.preamble;
  if (context_.request.memory.enabled) preamble += marker_explanation();
  views.feed(stream.sequence, context_.tokenize(preamble),
             SpanOwner::of_stream(SpanKind::kPreamble, id), stream.strategy.name);
  const auto& scripts = context_.request.scripts;
  std::unique_ptr<Grammar> script;
  if (!scripts.empty()) script = make_script(scripts[static_cast<size_t>(id) % scripts.size()]);
  generate(context_, stream, sampling, std::move(script));
  if (context_.request.diversity.branch_first_token)
    views.sampler(stream.sequence)->take_rank(index / static_cast<int>(strategies.size()));
  context_.events->push(StreamStarted{id, phase_, stream.strategy.name});
}

Stream* StreamPhase::find(SequenceNumber sequence) {
  const auto found = std::find_if(streams_.begin(), streams_.end(),
                                  [&](const Stream& s) { return s.sequence == sequence; });
  return found == streams_.end() ? nullptr : &*found;
}

void StreamPhase::append(Stream& stream, const SampledToken& token, std::span<const float> hidden) {
  stream.tokens.push_back(token.token);
  stream.logprob_sum += token.logprob;
  ++tokens_;
  std::string text = stream.text.push(context_.vocabulary().piece(token.token, false));
  if (!text.empty()) context_.events->push(ThoughtDelta{stream.id, std::move(text)});
  stream.hidden.assign(hidden.begin(), hidden.end());
  if (watch_) watch_->observe(static_cast<int>(&stream - streams_.data()), token.token, hidden);
}

void StreamPhase::on_token(Stream& stream, const SampledToken& token) {
  const Sampler& sampler = *context_.views->sampler(stream.sequence);
  if (!context_.request.ignore_eos && context_.vocabulary().is_end_of_generation(token.token)) {
    if (!urge_on(stream, sampler.params())) end(stream, FinishReason::kStop, false);
    return;
  }
  append(stream, token, context_.views->hidden(stream.sequence));
  if (stream.tokens_left() <= 0) end(stream, FinishReason::kLength, true);
}

// Replaces a sampled end of turn by a cue to check the work. Returns false if the request does not
// ask for this or if too little budget is left.
bool StreamPhase::urge_on(Stream& stream, SamplingParams sampling) {
  if (!context_.request.diversity.spend_budget) return false;
  constexpr int kFewestTokensAfter = 16;
  const Tokens cue = context_.tokenize(urge_cue());
  if (static_cast<int>(cue.size()) + kFewestTokensAfter > stream.tokens_left()) return false;
  sampling.seed = seeds::kUrges.of(sampling.seed, static_cast<uint64_t>(++stream.urged));
  stream.urge_tokens += static_cast<int>(cue.size());
  context_.views->stop(stream.sequence, false);
  interject(context_, stream, urge_cue());
  generate(context_, stream, sampling);
  return true;
}

void StreamPhase::end(Stream& stream, FinishReason reason, bool keep_last) {
  context_.views->stop(stream.sequence, keep_last);
  if (const auto unread = std::exchange(stream.unread, std::nullopt))
    context_.views->feed(stream.sequence, {*unread},
                         SpanOwner::of_stream(SpanKind::kStream, stream.id), stream.strategy.name);
  stream.finish_reason = reason;
  std::string rest = stream.text.flush();
  if (!rest.empty()) context_.events->push(ThoughtDelta{stream.id, std::move(rest)});
  stream.answer = extract_answer(stream.text.text());
  if (watch_) watch_->forget(static_cast<int>(&stream - streams_.data()));
  context_.events->push(
      StreamEnded{stream.id, reason, stream.answer, static_cast<int>(stream.tokens.size())});

  const bool counts = reason == FinishReason::kStop || reason == FinishReason::kLength;
  if (!counts || !context_.options.agreement.enabled || context_.request.ignore_eos) return;
  const auto agreed = agreement_.add(normalise_answer(stream.answer));
  if (!agreed) return;
  context_.decide(AgreementDecision{*agreed});
  for (Stream& other : streams_)
    if (!other.ended()) end(other, FinishReason::kAgreement, true);
}

void StreamPhase::go_on(Stream& stream, std::span<const SampledToken> said,
                        std::span<const float> hidden, const SamplingParams* stopped) {
  for (const SampledToken& token : said)
    append(stream, token, &token == &said.back() ? hidden : std::span<const float>());
  if (stopped) {
    if (!urge_on(stream, *stopped)) end(stream, FinishReason::kStop, false);
  } else if (stream.tokens_left() <= 0) {
    end(stream, FinishReason::kLength, true);
  }
}

void StreamPhase::after_step() {
  if (!watch_) return;
  for (const CollapseWatch::Verdict& verdict : watch_->look()) {
    Stream& follower = streams_[static_cast<size_t>(verdict.follower)];
    if (follower.ended()) continue;
    context_.decide(CollapseDecision{follower.id, streams_[static_cast<size_t>(verdict.leader)].id,
                                     verdict.overlap, verdict.cosine,
                                     verdict.end            ? CollapseAction::kEnd
                                     : follower.searching() ? CollapseAction::kNone
                                                            : CollapseAction::kReseed});
    if (verdict.end)
      end(follower, FinishReason::kCollapsed, true);
    else if (!follower.searching())
      reseed(follower);
  }
}

// Lets a follower continue with another strategy, another seed and a slightly higher temperature.
void StreamPhase::reseed(Stream& stream) {
  const auto& strategies = context_.options.strategies;
  ++stream.reseeds;
  const size_t next = static_cast<size_t>(stream.id) + streams_.size() * stream.reseeds + 1;
  stream.strategy = strategies[next % strategies.size()];
  Sampler* const sampler = context_.views->sampler(stream.sequence);
  sampler->reseed(seeds::kReseeds.of(sampler->params().seed, static_cast<uint64_t>(stream.reseeds)),
                  sampler->params().temperature + 0.2f);
  context_.events->push(StreamStarted{stream.id, stream.phase, stream.strategy.name});
  interject(context_, stream, reseed_cue(stream.strategy));
}

bool StreamPhase::done() const {
  return std::all_of(streams_.begin(), streams_.end(), [&](const Stream& stream) {
    return stream.ended() && context_.views->idle(stream.sequence);
  });
}

std::vector<Attempt> StreamPhase::attempts() const {
  std::vector<Attempt> result;
  for (const Stream& stream : streams_) result.push_back(stream.attempt());
  return result;
}

}  // namespace polyphon
