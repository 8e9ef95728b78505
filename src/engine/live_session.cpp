#include "engine/live_session.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace polyphon {

LiveSession::LiveSession(WaitingSession admitted, KvCache& cache, PrefixCache& prefixes,
                         const Clock& clock)
    : session_(std::move(admitted.session)),
      terms_(std::move(admitted.terms)),
      number_(admitted.number),
      submitted_(admitted.submitted),
      cache_(cache),
      prefixes_(prefixes),
      clock_(clock),
      needs_(session_->needs()) {}

LiveSession::~LiveSession() {
  keep_prefix();
  for (Sequence& sequence : sequences_)
    if (sequence.id >= 0) cache_.release(sequence.id);
}

LiveSession::Sequence& LiveSession::at(SequenceNumber sequence) {
  POLYPHON_CHECK(sequence >= 0 && sequence < static_cast<int>(sequences_.size()));
  POLYPHON_CHECK(sequences_[sequence].id >= 0);
  return sequences_[sequence];
}

const LiveSession::Sequence& LiveSession::at(SequenceNumber sequence) const {
  return const_cast<LiveSession*>(this)->at(sequence);
}

void LiveSession::record_edit(EditKind kind, SequenceNumber sequence, SequenceNumber source,
                              Position begin, Position end, int promotion) {
  trace_.edits.push_back({step_, kind, sequence, source, begin, end, promotion});
}

SequenceNumber LiveSession::open() {
  POLYPHON_CHECK(open_sequences_ < needs_.sequences);
  const auto id = cache_.acquire();
  POLYPHON_CHECK(id.has_value());
  ++open_sequences_;
  sequences_.emplace_back().id = *id;
  const auto number = static_cast<SequenceNumber>(sequences_.size()) - 1;
  record_edit(EditKind::kOpen, number);
  return number;
}

SequenceNumber LiveSession::open_prompt(const Tokens& prompt) {
  POLYPHON_CHECK(!prompt.empty() && prompt_sequence_ < 0);
  const SequenceNumber number = open();
  const int cached =
      terms_.cache_prompt ? prefixes_.join_longest(terms_.tenant, prompt, at(number).id) : 0;
  prompt_sequence_ = number;
  prompt_size_ = prompt.size();
  prompt_line_.assign(prompt.begin(), prompt.begin() + cached);
  cached_prompt_tokens_ = cached;
  cells_used_ += cached;
  trace_.cached_prompt_tokens = cached;

  at(number).next = cached;
  feed(number, Tokens(prompt.begin() + cached, prompt.end()), SpanOwner::of(SpanKind::kPrompt), "");
  TraceSpan& span = trace_.spans.back();
  span.tokens.assign(prompt.begin(), prompt.begin() + cached);
  span.steps.assign(cached, -1);
  span.logprobs.assign(cached, NAN);
  return number;
}

void LiveSession::join(SequenceNumber source, SequenceNumber target, Position begin, Position end,
                       int promotion) {
  end_prompt_line(target);
  Sequence& to = at(target);
  cache_.join(at(source).id, to.id, begin, end);
  const Position next = cache_.last_position(to.id) + 1;
  if (next != to.next) begin_new_spans(target);
  to.next = next;
  record_edit(EditKind::kJoin, target, source, begin, end, promotion);
}

void LiveSession::drop(SequenceNumber sequence, Position begin, Position end) {
  end_prompt_line(sequence);
  POLYPHON_CHECK(end < at(sequence).next);
  cells_used_ -= cache_.drop(at(sequence).id, begin, end);
  record_edit(EditKind::kDrop, sequence, -1, begin, end);
}

void LiveSession::end_prompt_line(SequenceNumber sequence) {
  if (sequence != prompt_sequence_) return;
  keep_prefix();
  prompt_sequence_ = -1;
}

void LiveSession::close(SequenceNumber sequence) {
  end_prompt_line(sequence);
  Sequence& closed = at(sequence);
  cells_used_ -= cache_.release(closed.id);
  closed = Sequence{};
  --open_sequences_;
  record_edit(EditKind::kClose, sequence);
}

bool LiveSession::place(SequenceNumber target, const SavedCells& cells, const SpanOwner& owner) {
  end_prompt_line(target);
  POLYPHON_CHECK(open_sequences_ < needs_.sequences);
  Sequence& to = at(target);
  const Position begin = to.next;
  if (!cache_.restore(to.id, cells, begin)) return false;
  begin_new_spans(target);
  TraceSpan& span = trace_.spans[static_cast<size_t>(new_span(target, owner, ""))];
  span.begin = begin;
  span.tokens = cells.tokens;
  span.steps.assign(cells.tokens.size(), step_);
  span.logprobs.assign(cells.tokens.size(), NAN);
  to.next = begin + static_cast<Position>(cells.tokens.size());
  cells_used_ += static_cast<int>(cells.tokens.size());
  record_edit(EditKind::kPlace, target, -1, begin, to.next);
  return true;
}

// A span's positions have no gap: what waits in one that has begun goes on in a new one.
void LiveSession::begin_new_spans(SequenceNumber sequence) {
  Sequence& from = at(sequence);
  for (size_t i = 0; i < from.waiting.size(); ++i) {
    const int old = from.waiting[i].span;
    if (trace_.spans[old].tokens.empty()) continue;
    const int fresh = new_span(sequence, SpanOwner(trace_.spans[old].owner),
                               std::string(trace_.spans[old].strategy));
    for (size_t j = i; j < from.waiting.size(); ++j)
      if (from.waiting[j].span == old) from.waiting[j].span = fresh;
    if (from.generation_span == old) from.generation_span = fresh;
  }
}

int LiveSession::new_span(SequenceNumber sequence, const SpanOwner& owner,
                          const std::string& strategy) {
  TraceSpan& span = trace_.spans.emplace_back();
  span.id = static_cast<int>(trace_.spans.size()) - 1;
  span.sequence = sequence;
  span.owner = owner;
  span.strategy = strategy;
  span.begin = -1;  // known when its first token is decoded
  return span.id;
}

void LiveSession::feed(SequenceNumber sequence, const Tokens& tokens, const SpanOwner& owner,
                       const std::string& strategy) {
  Sequence& to = at(sequence);
  const int span = new_span(sequence, owner, strategy);
  for (Token token : tokens) to.waiting.push_back({token, NAN, span, false});
}

void LiveSession::generate(SequenceNumber sequence, std::unique_ptr<Sampler> sampler,
                           const SpanOwner& owner, const std::string& strategy) {
  Sequence& to = at(sequence);
  POLYPHON_CHECK(!to.waiting.empty() && !to.sampler);
  to.sampler = std::move(sampler);
  to.generation_span = new_span(sequence, owner, strategy);
}

void LiveSession::stop(SequenceNumber sequence, bool keep_last) {
  Sequence& to = at(sequence);
  to.sampler.reset();
  if (!keep_last && !to.waiting.empty() && to.waiting.back().sampled) to.waiting.pop_back();
}

Sampler* LiveSession::sampler(SequenceNumber sequence) { return at(sequence).sampler.get(); }

bool LiveSession::idle(SequenceNumber sequence) const {
  return at(sequence).waiting.empty() && !at(sequence).sampler;
}

Position LiveSession::next_position(SequenceNumber sequence) const {
  return at(sequence).next + static_cast<Position>(at(sequence).waiting.size());
}

std::span<const float> LiveSession::hidden(SequenceNumber sequence) const {
  return at(sequence).hidden;
}

std::vector<LiveSession::Pending> LiveSession::pending() const {
  std::vector<Pending> result;
  for (size_t i = 0; i < sequences_.size(); ++i) {
    const Sequence& sequence = sequences_[i];
    if (sequence.id < 0 || sequence.waiting.empty()) continue;
    const bool state_wanted = sequence.sampler && session_->wants_hidden();
    const bool sampled =
        sequence.waiting.size() == 1 && (sequence.waiting[0].sampled || state_wanted);
    result.push_back({static_cast<SequenceNumber>(i), sequence.sampler != nullptr, sampled,
                      static_cast<int>(sequence.waiting.size()), sequence.next});
  }
  return result;
}

Row LiveSession::row(SequenceNumber sequence, int index) const {
  const Sequence& from = at(sequence);
  const bool last = index + 1 == static_cast<int>(from.waiting.size());
  return {from.waiting[index].token, from.next + index, from.id, last && from.sampler != nullptr};
}

void LiveSession::decoded(SequenceNumber sequence, int count, double row_ms) {
  Sequence& from = at(sequence);
  from.compute_ms += count * row_ms;
  for (int i = 0; i < count; ++i) {
    const Waiting& waiting = from.waiting.front();
    TraceSpan& span = trace_.spans[waiting.span];
    if (span.begin < 0) span.begin = from.next - static_cast<Position>(span.tokens.size());
    span.tokens.push_back(waiting.token);
    span.steps.push_back(step_);
    span.logprobs.push_back(waiting.logprob);
    if (sequence == prompt_sequence_) prompt_line_.push_back(waiting.token);
    from.waiting.pop_front();
    ++from.next;
  }
  cells_used_ += count;
  if (sequence == prompt_sequence_ && !prompt_kept_ && prompt_line_.size() >= prompt_size_)
    keep_prefix();
}

void LiveSession::deliver(SequenceNumber sequence, const SampledToken& token,
                          std::span<const float> hidden) {
  Sequence& to = sequences_[sequence];
  if (to.id < 0 || !to.sampler) return;  // stopped by an earlier callback of this step
  if (token.token == kNoToken) {
    no_finite_logit_ |= !to.sampler->has_grammar();
    if (const char* const why = to.sampler->grammar_fault()) grammar_fault_ = why;
    if (!no_finite_logit_ && !grammar_fault_) session_->on_token(sequence, token);
    return;
  }
  ++tokens_sampled_;
  const TraceSpan& span = trace_.spans[to.generation_span];
  const auto span_end = span.begin + static_cast<Position>(span.tokens.size());
  if (!span.tokens.empty() && to.next != span_end)  // something was fed in between
    to.generation_span = new_span(sequence, SpanOwner(span.owner), std::string(span.strategy));
  to.waiting.push_back({token.token, token.logprob, to.generation_span, true});
  to.hidden = hidden;
  session_->on_token(sequence, token);
  if (sequences_[sequence].id >= 0) sequences_[sequence].hidden = {};
}

std::optional<Error> LiveSession::fault() const {
  const auto internal = [](const char* why) { return Error(ErrorCode::kInternal, why); };
  if (no_finite_logit_)
    return internal("the model computed no finite logit: its file may be damaged");
  if (grammar_fault_) return Error(ErrorCode::kInvalidArgument, grammar_fault_, "grammar");
  if (cells_used_ > needs_.cells) return internal("the session used more cells than it asked for");
  const bool stalled =
      !session_->finished() && std::all_of(sequences_.begin(), sequences_.end(),
                                           [](const Sequence& s) { return s.waiting.empty(); });
  if (stalled) return internal("the session was left with nothing to decode");
  return std::nullopt;
}

SessionStatus LiveSession::status() const {
  SessionStatus status;
  status.number = number_;
  status.submitted = submitted_;
  status.prompt_tokens = static_cast<int>(session_->prompt().size());
  status.prompt_tokens_cached = cached_prompt_tokens_;
  status.prompt_tokens_decoded =
      static_cast<int>(std::min(prompt_line_.size(), prompt_size_)) - cached_prompt_tokens_;
  status.tokens_sampled = tokens_sampled_;
  status.sequences = open_sequences_;
  status.sequences_sampling =
      static_cast<int>(std::count_if(sequences_.begin(), sequences_.end(),
                                     [](const Sequence& s) { return s.sampler != nullptr; }));
  status.cells_reserved = needs_.cells;
  status.cells_used = cells_used_;
  return status;
}

int LiveSession::cells_outstanding() const { return std::max(0, needs_.cells - cells_used_); }

int LiveSession::sequences_outstanding() const { return needs_.sequences - open_sequences_; }

// Keeps the prompt, and later the prompt with what was decoded after it, for the next request.
void LiveSession::keep_prefix() {
  if (prompt_sequence_ < 0 || prompt_line_.size() < prompt_size_ || !terms_.cache_prompt) return;
  prefixes_.insert(terms_.tenant, prompt_line_, sequences_[prompt_sequence_].id);
  prompt_kept_ = true;
}

}  // namespace polyphon
