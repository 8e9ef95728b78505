#include "search/branch_playouts.h"

#include <algorithm>
#include <utility>

#include "core/seeds.h"

namespace polyphon {

BranchPlayouts::BranchPlayouts(const ThinkContext& context, const Stream& stream,
                               SearchBudget& budget, const SamplingParams& sampling, int search,
                               std::vector<State> states)
    : context_(context),
      stream_(stream),
      budget_(budget),
      sampling_(sampling),
      search_(search),
      waiting_(std::move(states)) {
  std::reverse(waiting_.begin(), waiting_.end());
}

bool BranchPlayouts::owns(SequenceNumber sequence) const {
  return std::any_of(running_.begin(), running_.end(),
                     [&](const Playout& playout) { return playout.sequence == sequence; });
}

void BranchPlayouts::begin(const State& state) {
  SessionViews& views = *context_.views;
  const SequenceNumber sequence = views.open();
  running_.push_back({state.node, sequence, "", state.tokens_left});
  budget_.tokens_left -= state.tokens_left;
  --budget_.sequences_left;

  const auto owner = SpanOwner::of_search(SpanKind::kPlayout, stream_.id, search_, state.node);
  views.join(state.sequence, sequence, 0, views.end_position(state.sequence));
  views.feed(sequence, {state.unread}, owner, stream_.strategy.name);
  SamplingParams sampling = sampling_;
  sampling.seed = seeds::kNodes.of(seeds::kPlayouts.of(sampling_.seed, search_), state.node);
  auto sampler = std::make_unique<Sampler>(sampling, nullptr, true);
  sampler->observe(state.said);
  views.generate(sequence, std::move(sampler), owner, stream_.strategy.name);
}

void BranchPlayouts::on_token(SequenceNumber sequence, const SampledToken& token) {
  Playout& playout = *std::find_if(running_.begin(), running_.end(),
                                   [&](const Playout& each) { return each.sequence == sequence; });
  const Vocabulary& vocabulary = context_.vocabulary();
  playout.ended_turn = !context_.request.ignore_eos && vocabulary.is_end_of_generation(token.token);
  if (!playout.ended_turn) {
    playout.text += vocabulary.piece(token.token, false);
    ++playout.said;
  }
  playout.over = playout.ended_turn || playout.said >= playout.most_tokens;
  if (playout.over) context_.views->stop(sequence, false);
}

// A play-out decoded the state's last token and its own tokens. Its last token is not decoded,
// unless an end of turn was sampled after it.
void BranchPlayouts::close(const Playout& playout) {
  const int decoded = playout.said + (playout.ended_turn ? 1 : 0);
  tokens_ += decoded;
  budget_.tokens_left += playout.most_tokens - decoded;
  ++budget_.sequences_left;
  context_.views->close(playout.sequence);
}

bool BranchPlayouts::after_step() {
  for (const Playout& playout : running_) {
    if (!playout.over) continue;
    close(playout);
    texts_[playout.node] = playout.text;
  }
  std::erase_if(running_, [](const Playout& playout) { return playout.over; });
  while (!waiting_.empty() && budget_.sequences_left > 0) {
    const State next = std::move(waiting_.back());
    waiting_.pop_back();
    if (next.tokens_left <= budget_.tokens_left) begin(next);
  }
  return !running_.empty();
}

void BranchPlayouts::abandon() {
  for (const Playout& playout : running_) close(playout);
  running_.clear();
  waiting_.clear();
}

}  // namespace polyphon
