// An ordinary completion: one prompt, n choices that share its KV. No streams, no merge.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "core/sampling.h"
#include "engine/session.h"
#include "model/language_model.h"
#include "streams/events.h"

namespace polyphon {

struct CompletionRequest {
  Tokens prompt;            // not empty
  SamplingParams sampling;  // of choice 0; the others draw with seeds::kChoices
  GrammarSpec grammar;
  std::vector<std::string> stop;  // cut off the text; the stop string itself is not returned
  int max_tokens = 512;           // of each choice
  int choices = 1;
  bool ignore_eos = false;  // for benchmarks
};

// `model` must outlive the session. The grammar is compiled here: throws Error{kInvalidArgument}.
std::unique_ptr<Session> make_completion_session(const LanguageModel& model,
                                                 CompletionRequest request,
                                                 std::shared_ptr<EventChannel> events);

// The hidden state of the prompt's last token, L2-normalised, as Finished::embedding (what
// decoder-only embedding models are trained for).
std::unique_ptr<Session> make_embedding_session(const LanguageModel& model, Tokens prompt,
                                                std::shared_ptr<EventChannel> events);

}  // namespace polyphon
