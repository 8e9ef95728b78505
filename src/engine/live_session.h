// An admitted session: its sequences, what waits to be decoded in each, and the record of every
// edit. Implements SessionViews for the session's policy; the engine reads the rows to decode from
// here and brings the sampled tokens back. Decode thread only.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "engine/engine.h"
#include "engine/kv_cache.h"
#include "engine/prefix_cache.h"
#include "engine/session.h"
#include "engine/waiting_queue.h"

namespace polyphon {

class LiveSession final : public SessionViews {
 public:
  LiveSession(WaitingSession admitted, KvCache& cache, PrefixCache& prefixes, const Clock& clock);
  // Drops all views; the prompt's line of tokens goes to the prefix cache first.
  ~LiveSession() override;

  // SessionViews, for the policy.
  SequenceNumber open() override;
  SequenceNumber open_prompt(const Tokens& prompt) override;
  int cached_prompt_tokens() const override { return cached_prompt_tokens_; }
  void join(SequenceNumber source, SequenceNumber target, Position begin, Position end,
            int promotion) override;
  using SessionViews::join;
  void drop(SequenceNumber sequence, Position begin, Position end) override;
  void close(SequenceNumber sequence) override;
  SavedCells save(SequenceNumber sequence) override { return cache_.save(at(sequence).id); }
  bool place(SequenceNumber target, const SavedCells& cells, const SpanOwner& owner) override;
  void feed(SequenceNumber sequence, const Tokens& tokens, const SpanOwner& owner,
            const std::string& strategy) override;
  void generate(SequenceNumber sequence, std::unique_ptr<Sampler> sampler, const SpanOwner& owner,
                const std::string& strategy) override;
  void stop(SequenceNumber sequence, bool keep_last) override;
  Sampler* sampler(SequenceNumber sequence) override;
  bool idle(SequenceNumber sequence) const override;
  Position next_position(SequenceNumber sequence) const override;
  Position end_position(SequenceNumber sequence) const override { return at(sequence).next; }
  double compute_ms(SequenceNumber sequence) const override { return at(sequence).compute_ms; }
  std::span<const float> hidden(SequenceNumber sequence) const override;
  Step step() const override { return step_; }
  TimePoint now() const override { return clock_.now(); }
  Trace& trace() override { return trace_; }

  // For the engine. A row's place: which waiting token of which sequence.
  struct Pending {
    SequenceNumber sequence = 0;
    bool generating = false;  // the sequence samples after its last waiting token
    bool sampled = false;     // exactly one token waits and it was sampled: a decode row
    int waiting = 0;
    Position begin = 0;  // of the first waiting token
  };
  // Sequences that have something to decode.
  std::vector<Pending> pending() const;
  // The row of the `index`-th waiting token. Its output is set for the last one of a sequence that
  // samples.
  Row row(SequenceNumber sequence, int index) const;
  // The first `count` waiting tokens of the sequence were decoded in this step, at `row_ms` each.
  void decoded(SequenceNumber sequence, int count, double row_ms);
  // All that decoded() named in this step is decoded: what the session does now comes after it.
  void count_step() { ++step_; }
  // A token was sampled for the sequence. `hidden` is valid during the call.
  void deliver(SequenceNumber sequence, const SampledToken& token, std::span<const float> hidden);
  Session& session() { return *session_; }
  const SessionTerms& terms() const { return terms_; }
  // Cells and ids set aside and not yet used.
  int cells_outstanding() const;
  int sequences_outstanding() const;
  SessionStatus status() const;
  // Why the engine must end the session, if it must.
  std::optional<Error> fault() const;

 private:
  struct Waiting {
    Token token;
    float logprob;  // NaN when fed
    int span;       // index in trace_.spans
    bool sampled;   // else fed
  };
  struct Sequence {
    SequenceId id = -1;  // -1: closed
    std::deque<Waiting> waiting;
    std::unique_ptr<Sampler> sampler;
    int generation_span = -1;
    Position next = 0;  // of the first waiting token
    double compute_ms = 0;
    std::span<const float> hidden;
  };
  Sequence& at(SequenceNumber sequence);
  const Sequence& at(SequenceNumber sequence) const;
  void begin_new_spans(SequenceNumber sequence);
  int new_span(SequenceNumber sequence, const SpanOwner& owner, const std::string& strategy);
  void record_edit(EditKind kind, SequenceNumber sequence, SequenceNumber source = -1,
                   Position begin = 0, Position end = 0, int promotion = -1);
  void keep_prefix();
  void end_prompt_line(SequenceNumber sequence);

  std::unique_ptr<Session> session_;
  SessionTerms terms_;
  const int64_t number_;
  const TimePoint submitted_;
  KvCache& cache_;
  PrefixCache& prefixes_;
  const Clock& clock_;
  const SessionNeeds needs_;
  std::vector<Sequence> sequences_;
  int open_sequences_ = 0;
  int cells_used_ = 0;  // decoded, placed or joined from the prefix cache, and not free again
  int tokens_sampled_ = 0;
  bool no_finite_logit_ = false;
  const char* grammar_fault_ = nullptr;
  Step step_ = 0;
  Trace trace_;

  // The sequence of open_prompt() and the tokens at its positions 0, 1, ...: what the prefix cache
  // may keep. Ends with the first other edit of it.
  SequenceNumber prompt_sequence_ = -1;
  Tokens prompt_line_;
  size_t prompt_size_ = 0;
  bool prompt_kept_ = false;
  int cached_prompt_tokens_ = 0;
};

}  // namespace polyphon
