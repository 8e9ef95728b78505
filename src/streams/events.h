// Events of a running session, sent to its client in order through an EventChannel. The last event
// is always Finished or Failed; the channel is closed after it.
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

// A token with its text, for clients that asked for log-probabilities.
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

// A stream started, or was reseeded with another strategy.
struct StreamStarted {
  int stream = 0;  // from 0, over all phases
  int phase = 0;
  std::string strategy;
};
// More text of a stream's thoughts, in whole UTF-8 characters.
struct ThoughtDelta {
  int stream = 0;
  std::string text;
};
struct StreamEnded {
  int stream = 0;
  FinishReason finish_reason = FinishReason::kStop;
  std::string answer;  // extracted from the stream's text; may be empty
  int tokens = 0;
};
// A note or a conclusion was broadcast to all streams.
struct Promoted {
  int promotion = 0;  // number within the session, from 0
  NoteSource source;
  std::string text;
  double probability = 0;  // the gate's probability
};
// Nodes of memory were recalled into a stream's view.
struct Recalled {
  int stream = 0;
  RecallCause by = RecallCause::kMarker;
  std::vector<std::string> texts;  // best first
};
// A stream paused to search for its continuation.
struct SearchBegan {
  int stream = 0;
  int search = 0;  // number within the stream, from 0
  SearchCause trigger = SearchCause::kAlways;
};
// The stream continues with the result of its search; the text was sent as ThoughtDelta. Not sent
// if the stream ended during the search.
struct SearchEnded {
  int stream = 0;
  int search = 0;
  int simulations = 0;
  int tokens = 0;            // tokens decoded by the search
  int committed_tokens = 0;  // tokens of the committed line
  double leaves_per_step = 0;
};
// More text of answer number `choice` (0 unless the request asked for several).
struct AnswerDelta {
  int choice = 0;
  std::string text;
  std::vector<TextLogprob> logprobs;  // filled only if the request asked for log-probabilities
};
struct ChoiceEnded {
  int choice = 0;
  FinishReason finish_reason = FinishReason::kStop;  // kStop or kLength
};

struct Usage {
  int prompt_tokens = 0;
  int cached_tokens = 0;
  int completion_tokens = 0;  // tokens of answers and thoughts
  int reasoning_tokens = 0;   // tokens of thoughts: sampled by streams, registers and searches
};

struct Finished {
  std::string version;  // version of the model that it ran on, without the version of the heads
  Usage usage;
  Timings timings;
  KeptMemory memory;
  std::vector<float> embedding;        // only for an embedding session
  std::shared_ptr<const Trace> trace;  // null unless the session thought
};
struct Failed {
  Error error;
};

using SessionEvent =
    std::variant<StreamStarted, ThoughtDelta, StreamEnded, Promoted, Recalled, SearchBegan,
                 SearchEnded, AnswerDelta, ChoiceEnded, Finished, Failed>;

// The channel from a session to its client.
class EventChannel : public Channel<SessionEvent> {
 public:
  // Called when the session has finished, before the client sees the event and also if the client
  // is gone. May add to the event what the session does not know. Runs on the decode thread: must
  // not block.
  using OnFinished = std::function<void(Finished&)>;
  explicit EventChannel(OnFinished on_finished = {}) : on_finished_(std::move(on_finished)) {}

  // Sends the last event and closes the channel.
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
