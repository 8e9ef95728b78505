// The seam between the engine and the policy of one request. A Session says what is decoded and
// what becomes of the tokens; the engine owns the clock, the batch and the cache.
//
// Life, all on the decode thread: start() once when admitted; then every step on_token() for each
// token sampled in one of its sequences and after_step() once; until finished(), or until the
// engine calls fail(). After either the session's views are dropped and the session destroyed.
// No method may block or throw.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "core/sampling.h"
#include "core/token.h"
#include "engine/sampler.h"
#include "model/decoder.h"
#include "record/trace.h"

namespace polyphon {

// The session's own number of a sequence (a view), from 0, never reused within the session.
using SequenceNumber = int;

// What a session may use at most, all of it set aside when it is admitted.
struct SessionNeeds {
  int cells = 0;      // KV cells, its prompt included
  int sequences = 0;  // views open at the same time
};

// The session's sequences and all edits of their views. Every edit and every decoded token is
// recorded in trace(). Valid from start() until the session ends; decode thread only.
//
// Invariants (design.md section 1), checked by the engine's CellLedger in debug builds:
// 1. A span's cells are immutable once decoded, and live while any view holds them.
// 2. Positions that one sequence decodes only grow; a token sees exactly the cells that were in its
//    sequence's view at its step, at positions up to its own.
// 3. No span of one session is ever in a view of another, except shared prompt prefixes within one
//    tenant.
// 4. Every edit of a view is recorded in the trace with its step.
class SessionViews {
 public:
  virtual ~SessionViews() = default;

  // A new sequence with an empty view. CHECKs that SessionNeeds::sequences is kept.
  virtual SequenceNumber open() = 0;
  // open() and feed() of a prompt, whose longest prefix that the tenant's cache holds is joined
  // instead of decoded. At least the last token is always decoded, so that generate() can follow.
  virtual SequenceNumber open_prompt(const Tokens& prompt) = 0;
  // How many tokens of open_prompt()'s prompt came from the cache.
  virtual int cached_prompt_tokens() const = 0;

  // Cells of `source`'s view at positions [begin, end) enter `target`'s view. No compute. What
  // waits to be decoded in `target` comes after them. `promotion`: which one of the session's the
  // join carries out, for the trace; -1: none.
  virtual void join(SequenceNumber source, SequenceNumber target, Position begin, Position end,
                    int promotion) = 0;
  void join(SequenceNumber source, SequenceNumber target, Position begin, Position end) {
    join(source, target, begin, end, -1);
  }
  // Cells at positions [begin, end) leave the view, which must keep its last one. Those that
  // another view holds live on there.
  virtual void drop(SequenceNumber sequence, Position begin, Position end) = 0;
  // Drops the view. Cells that no other view holds are free at once.
  virtual void close(SequenceNumber sequence) = 0;

  // A copy of the view's cells, whose positions must have no gap, outside the cache.
  virtual SavedCells save(SequenceNumber sequence) = 0;
  // New cells with the copy's keys and values enter the view at its end, the keys turned to the
  // positions there; what waits to be decoded comes after them. In the trace they are a span of
  // `owner`. Takes a sequence id for the moment, which SessionNeeds must count. False, and nothing
  // changed: the copy is damaged or of another KV type, or this model's keys cannot be turned.
  virtual bool place(SequenceNumber target, const SavedCells& cells, const SpanOwner& owner) = 0;

  // Tokens to be decoded at the end of the view, in as many steps as the prefill chunks need.
  // The span in the trace is of `owner` and `strategy`.
  virtual void feed(SequenceNumber sequence, const Tokens& tokens, const SpanOwner& owner,
                    const std::string& strategy = "") = 0;
  // From when all that was fed is decoded, one token a step is sampled, handed to on_token() and
  // decoded in turn, until stop(). Something must have been fed since the last join.
  virtual void generate(SequenceNumber sequence, std::unique_ptr<Sampler> sampler,
                        const SpanOwner& owner, const std::string& strategy = "") = 0;
  // No more sampling; destroys the sampler. Inside on_token(): with `keep_last` the token just
  // sampled is still decoded into the view (a later merge sees it), else it never is.
  virtual void stop(SequenceNumber sequence, bool keep_last) = 0;
  // Null unless generating.
  virtual Sampler* sampler(SequenceNumber sequence) = 0;

  // Nothing is waiting to be decoded and nothing is sampled.
  virtual bool idle(SequenceNumber sequence) const = 0;
  // The position that the next token of this sequence gets: one past all in its view and all that
  // waits.
  virtual Position next_position(SequenceNumber sequence) const = 0;
  // One past the last position in the view: next_position() without what waits.
  virtual Position end_position(SequenceNumber sequence) const = 0;
  // The sequence's share of the forward passes' time so far, by rows.
  virtual double compute_ms(SequenceNumber sequence) const = 0;
  // Inside on_token(), if wants_hidden(): the state that the token was sampled from. [hidden_size].
  // Empty after a feed of more than one token (prefill computes no hidden states).
  virtual std::span<const float> hidden(SequenceNumber sequence) const = 0;

  // Decodes of this session so far, in on_token() with the one that gave it: the clock that orders
  // tokens and edits.
  virtual Step step() const = 0;
  virtual TimePoint now() const = 0;
  // Spans and edits are filled in by the engine, the rest by the session.
  virtual Trace& trace() = 0;
};

class Session {
 public:
  virtual ~Session() = default;

  // Constant over the session's life. Any thread.
  virtual SessionNeeds needs() const = 0;
  virtual bool wants_hidden() const { return false; }
  // The longest prompt prefix worth looking up, for admission; may be empty. Any thread.
  virtual const Tokens& prompt() const = 0;

  // `views` outlives the session.
  virtual void start(SessionViews& views) = 0;
  // May feed, generate, stop, join, open, close. kNoToken: the grammar allows no more; the session
  // must stop the sequence.
  virtual void on_token(SequenceNumber sequence, const SampledToken& token) = 0;
  // Once after each step in which a row of this session was decoded.
  virtual void after_step() = 0;
  virtual bool finished() const = 0;
  // Ended by the engine: cancelled, out of time, backend failure, or stopping. Tell the client.
  // `started` tells whether start() had been called.
  virtual void fail(const Error& error) = 0;
};

}  // namespace polyphon
