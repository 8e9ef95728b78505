// Plain sessions, without streams or merge: a completion with n choices that share the prompt's
// cells, and an embedding.
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
  SamplingParams sampling;  // of choice 0; the other choices use seeds from seeds::kChoices
  GrammarSpec grammar;
  std::vector<std::string> stop;  // the text ends before a stop string
  int max_tokens = 512;           // limit of each choice
  int choices = 1;
  bool ignore_eos = false;  // for benchmarks
};

// `model` must outlive the session. Compiles the grammar: throws Error{kInvalidArgument} if it is
// invalid.
std::unique_ptr<Session> make_completion_session(const LanguageModel& model,
                                                 CompletionRequest request,
                                                 std::shared_ptr<EventChannel> events);

// Returns the hidden state of the prompt's last token, L2-normalised, as Finished::embedding.
// Decoder-only embedding models are trained for this state.
std::unique_ptr<Session> make_embedding_session(const LanguageModel& model, Tokens prompt,
                                                std::shared_ptr<EventChannel> events);

}  // namespace polyphon
