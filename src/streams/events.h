// What a session tells its client while it runs, in order, through a Channel<SessionEvent>. The
// last event is always Finished or Failed; the channel is closed after it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/channel.h"
#include "base/error.h"
#include "core/sampling.h"
#include "record/kept_memory.h"
#include "record/trace.h"

namespace polyphon {

// A token with its text, as logprobs objects show it.
struct TextLogprob {
  std::string text;  // bytes of the token
  Token token = 0;
  float logprob = 0;
  struct Alternative {
    std::string text;
    Token token = 0;
    float logprob = 0;
  };
  std::vector<Alternative> top;
};

// A stream began (or was re-seeded with another strategy).
struct StreamStarted {
  int stream = 0;  // from 0, over all phases
  int phase = 0;
  std::string strategy;
};
// More text of a stream's thoughts. Whole UTF-8 characters.
struct ThoughtDelta {
  int stream = 0;
  std::string text;
};
struct StreamEnded {
  int stream = 0;
  FinishReason finish_reason = FinishReason::kStop;
  std::string answer;  // extracted, may be empty
  int tokens = 0;
};
// A note or a conclusion was broadcast to all streams.
struct Promoted {
  int promotion = 0;  // from 0 in the session
  NoteSource source;
  std::string text;
  double probability = 0;  // the gate's
};
// Nodes of memory came back to a stream.
struct Recalled {
  int stream = 0;
  RecallCause by = RecallCause::kMarker;
  std::vector<std::string> texts;  // the best first
};
// A stream stopped to search how it should go on.
struct SearchBegan {
  int stream = 0;
  int search = 0;  // of the stream, from 0
  SearchCause trigger = SearchCause::kAlways;
};
// It goes on with what the search found; the text came as ThoughtDelta. Not sent for a search whose
// stream was ended.
struct SearchEnded {
  int stream = 0;
  int search = 0;
  int simulations = 0;
  int tokens = 0;            // decoded by it
  int committed_tokens = 0;  // of them
  double leaves_per_step = 0;
};
// More text of answer `choice` (0 unless the request asked for n > 1).
struct AnswerDelta {
  int choice = 0;
  std::string text;
  std::vector<TextLogprob> logprobs;  // when asked for
};
struct ChoiceEnded {
  int choice = 0;
  FinishReason finish_reason = FinishReason::kStop;  // or kLength
};

struct Usage {
  int prompt_tokens = 0;
  int cached_tokens = 0;
  int completion_tokens = 0;  // answers and thoughts
  int reasoning_tokens = 0;   // thoughts alone: what streams, registers and searches sampled
};

struct Finished {
  std::string version;  // of the model that it ran on, without its heads
  Usage usage;
  Timings timings;
  KeptMemory memory;
  std::vector<float> embedding;        // of an embedding session
  std::shared_ptr<const Trace> trace;  // null unless it thought
};
struct Failed {
  Error error;
};

using SessionEvent =
    std::variant<StreamStarted, ThoughtDelta, StreamEnded, Promoted, Recalled, SearchBegan,
                 SearchEnded, AnswerDelta, ChoiceEnded, Finished, Failed>;

// From the session to its client.
class EventChannel : public Channel<SessionEvent> {
 public:
  // Hears of the end of the session before its client does, whether or not there is one any more,
  // and may fill in what the session does not know. On the decode thread: it must not block.
  using OnFinished = std::function<void(Finished&)>;
  explicit EventChannel(OnFinished on_finished = {}) : on_finished_(std::move(on_finished)) {}

  // The session's last words.
  void finish(Finished finished) {
    if (on_finished_) on_finished_(finished);
    push(std::move(finished));
    close();
  }
  void fail(const Error& error) {
    push(Failed{error});
    close();
  }

 private:
  const OnFinished on_finished_;
};

}  // namespace polyphon
