// The streams of one phase. They start from one view and are followed token by token. A stream ends
// by itself, by its budget, by agreement of other streams, or because it only follows another
// stream. Decode thread only.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "streams/agreement.h"
#include "streams/collapse_watch.h"
#include "streams/stream.h"
#include "streams/think_context.h"

namespace polyphon {

// Feeds a cue to a thinking stream and adds it to the stream's text. Does not count against the
// stream's budget.
void interject(const ThinkContext& context, Stream& stream, const std::string& cue);

// Makes the stream sample after the tokens that were fed last. Penalties count what it has sampled
// before.
void generate(const ThinkContext& context, Stream& stream, const SamplingParams& sampling,
              std::unique_ptr<Grammar> script = nullptr);

class StreamPhase {
 public:
  // Starts the streams at the end of the view of `base`. `phase` is the index of the phase;
  // `first_stream` is the number of its first stream, counted over all phases. `watches_collapse`
  // needs Session::wants_hidden(). `context` must outlive this object.
  StreamPhase(const ThinkContext& context, int phase, const Phase& shape, int first_stream,
              SequenceNumber base, bool watches_collapse);

  // Null if the sequence belongs to none of these streams.
  Stream* find(SequenceNumber sequence);
  void on_token(Stream& stream, const SampledToken& token);
  // Continues a stream after its search. `said`: the committed tokens, which are already in the
  // stream's view up to stream.unread. `hidden`: the state from which the last of them was sampled.
  // `stopped`: if not null, the committed line ended the turn; these are then the sampling
  // parameters if the stream is urged to continue. Ends the stream if its budget is spent or if it
  // has stopped.
  void go_on(Stream& stream, std::span<const SampledToken> said, std::span<const float> hidden,
             const SamplingParams* stopped);
  // Call after each step: handles streams that follow others.
  void after_step();
  // Whether all streams have ended and all their tokens are decoded.
  bool done() const;

  std::vector<Stream>& streams() { return streams_; }
  const std::vector<Stream>& streams() const { return streams_; }
  std::vector<Attempt> attempts() const;
  // One past the last position of the shared prompt: where every stream started.
  Position base_end() const { return base_end_; }
  int tokens() const { return tokens_; }  // sampled by all streams

 private:
  void start(int index, int id, const Phase& shape, SequenceNumber base);
  void append(Stream& stream, const SampledToken& token, std::span<const float> hidden);
  void end(Stream& stream, FinishReason reason, bool keep_last);
  void reseed(Stream& stream);
  bool urge_on(Stream& stream, SamplingParams sampling);

  const ThinkContext& context_;
  const int phase_;
  Position base_end_;
  std::vector<Stream> streams_;
  std::optional<CollapseWatch> watch_;
  Agreement agreement_;
  int tokens_ = 0;
};

}  // namespace polyphon
