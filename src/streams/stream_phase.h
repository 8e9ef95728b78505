// The streams of one phase: started from one view, followed token by token, and ended by
// themselves, their budget, agreement, or because they only follow another. Decode thread only.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "streams/agreement.h"
#include "streams/collapse_watch.h"
#include "streams/stream.h"
#include "streams/think_context.h"

namespace polyphon {

// Feeds a cue to a stream that thinks, and shows it in the stream's text. It is not of its budget.
void interject(const ThinkContext& context, Stream& stream, const std::string& cue);

// The stream samples from what was fed last on. What it has said counts for penalties.
void generate(const ThinkContext& context, Stream& stream, const SamplingParams& sampling,
              std::unique_ptr<Grammar> script = nullptr);

class StreamPhase {
 public:
  // Starts the streams at the end of `base`'s view. `phase` is its index, `first_stream` the number
  // of the first stream over all phases. `watches_collapse` needs Session::wants_hidden().
  // `context` must outlive this.
  StreamPhase(const ThinkContext& context, int phase, const Phase& shape, int first_stream,
              SequenceNumber base, bool watches_collapse);

  // Null when the sequence is none of these streams.
  Stream* find(SequenceNumber sequence);
  void on_token(Stream& stream, const SampledToken& token);
  // A search has found how the stream goes on: what it says next, already in its view up to
  // stream.unread, the last token sampled from `hidden`. Ends the stream when its budget is spent
  // or it has `stopped`; then these are its sampler's, should it be urged on.
  void go_on(Stream& stream, std::span<const SampledToken> said, std::span<const float> hidden,
             const SamplingParams* stopped);
  // Looks for streams that follow others.
  void after_step();
  // All have ended and are decoded.
  bool done() const;

  std::vector<Stream>& streams() { return streams_; }
  const std::vector<Stream>& streams() const { return streams_; }
  std::vector<Attempt> attempts() const;
  // One past the prompt's last position: where every stream began.
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
