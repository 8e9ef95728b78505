#include "search/search_bank.h"

#include <algorithm>

#include "text/answer_extraction.h"

namespace polyphon {
namespace {

constexpr int kFewestSequences = 2;  // with one branch there is no choice

}  // namespace

SearchBank::SearchBank(const ThinkContext& context)
    : context_(context),
      budget_{context.request.search.max_tokens, context.request.search.max_sequences} {}

void SearchBank::begin_phase(StreamPhase& phase) {
  phase_ = &phase;
  watched_.assign(phase.streams().size(), {SearchTrigger(context_.request.search), 0, {}});
}

bool SearchBank::owns(SequenceNumber sequence) const {
  return std::any_of(running_.begin(), running_.end(),
                     [&](const auto& search) { return search->owns(sequence); });
}

void SearchBank::on_token(SequenceNumber sequence, const SampledToken& token) {
  for (const auto& search : running_)
    if (search->owns(sequence)) return search->on_token(sequence, token);
}

// Why this stream cannot begin a search now; none if it can.
std::optional<SearchObstacle> SearchBank::obstacle(const Stream& stream,
                                                   const Watched& watched) const {
  const SearchRequest& request = context_.request.search;
  if (watched.searches >= request.max_stream_searches) return SearchObstacle::kStreamSearches;
  if (begun_ >= request.max_searches) return SearchObstacle::kSearches;
  if (budget_.tokens_left < 2 * request.step_tokens) return SearchObstacle::kTokens;
  if (budget_.sequences_left < kFewestSequences) return SearchObstacle::kSequences;
  if (stream.tokens_left() < request.step_tokens) return SearchObstacle::kStreamBudget;
  return std::nullopt;
}

void SearchBank::on_stream_token(Stream& stream, const SampledToken& token) {
  const bool urged =
      !context_.request.ignore_eos && context_.vocabulary().is_end_of_generation(token.token);
  if (stream.ended() || urged) return;
  Watched& mine = watched(stream);
  SessionViews& views = *context_.views;
  SearchTrigger& trigger = mine.trigger;
  const std::string piece = context_.vocabulary().piece(token.token, false);
  const double entropy = views.sampler(stream.sequence)->entropy();
  if (!trigger.observe(token.token, piece, token.logprob, entropy)) return;

  const ThoughtStep& step = trigger.step();
  const auto before =
      std::span(stream.tokens)
          .first(stream.tokens.size() - std::min(step.tokens.size(), stream.tokens.size()));
  const StepValue worth = value_of_step(
      context_, *phase_, stream, step,
      {before, stream.mean_logprob(), stream.tokens_left(), explicit_answer(step.text)},
      views.hidden(stream.sequence));
  const double smoothed = trigger.entropy();
  const auto why = trigger.at_step_end(worth.value);
  if (!why) return;
  if (const auto obstacle = this->obstacle(stream, mine)) {
    if (std::exchange(mine.refused, obstacle) != obstacle)
      context_.decide(SearchRefusal{stream.id, *why, *obstacle});
    return;
  }
  mine.refused.reset();
  ++begun_;
  context_.decide(
      SearchDecision{stream.id, mine.searches, *why, smoothed, worth.value, worth.features});
  running_.push_back(
      std::make_unique<StreamSearch>(context_, *phase_, stream, budget_, mine.searches++, *why));
}

void SearchBank::after_step() {
  for (const auto& search : running_) {
    search->after_step();
    if (!search->over()) continue;
    watched(search->stream()).trigger.restart();
    searches_.push_back(search->result());
  }
  std::erase_if(running_, [](const auto& search) { return search->over(); });
}

void SearchBank::end_phase() {
  for (const auto& search : running_) {
    search->abandon();
    searches_.push_back(search->result());
  }
  running_.clear();
  phase_ = nullptr;
}

SearchReport SearchBank::report() const {
  SearchReport report{context_.request.search.mode, searches_, 0, 0, 0, 0, 0, 0};
  double steps = 0, rows = 0;
  for (const SearchResult& search : searches_) {
    report.simulations += search.simulations;
    report.tokens += search.tokens;
    report.committed_tokens += search.committed_tokens;
    steps += search.steps;
    rows += search.steps * search.leaves_per_step;
    report.ms += search.ms;
  }
  if (steps > 0) report.leaves_per_step = rows / steps;
  report.waste = share_wasted(report.tokens, report.committed_tokens);
  return report;
}

}  // namespace polyphon
