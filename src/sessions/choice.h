// One answer (choice) while it is generated: takes sampled tokens, sends AnswerDelta and
// ChoiceEnded events. Decode thread only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/sampling.h"
#include "model/vocabulary.h"
#include "streams/events.h"
#include "text/text_stream.h"

namespace polyphon {

struct ChoiceLimits {
  std::vector<std::string> stop;
  int max_tokens = 512;
  bool ignore_eos = false;
  bool logprobs = false;  // whether to send TextLogprobs
};

class Choice {
 public:
  // `vocabulary` must outlive this object.
  Choice(int index, const Vocabulary& vocabulary, ChoiceLimits limits,
         std::shared_ptr<EventChannel> events);

  // Adds a token. Returns true if the choice ends with it: end of generation (kNoToken counts as
  // that), a stop string, or the limit.
  bool add(const SampledToken& token);

  int tokens() const { return tokens_; }
  const std::string& text() const { return stream_.text(); }

 private:
  TextLogprob logprob_of(const SampledToken& token) const;
  void end(FinishReason reason);

  int index_;
  const Vocabulary& vocabulary_;
  ChoiceLimits limits_;
  std::shared_ptr<EventChannel> events_;
  TextStream stream_;
  std::vector<TextLogprob> held_logprobs_;  // of tokens whose text is still held back
  int tokens_ = 0;
};

}  // namespace polyphon
