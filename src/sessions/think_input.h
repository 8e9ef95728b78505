// What Reasoner::think() is asked. Plain.
#pragma once

#include <string>
#include <vector>

#include "core/sampling.h"
#include "model/chat_template.h"
#include "streams/think_settings.h"

namespace polyphon {

// A problem as a user states it: chat messages and wishes; Reasoner renders and tokenizes.
struct ThinkInput : ThinkSettings {
  ChatInput chat;
  SamplingParams sampling;
  SamplingParams answer_sampling;
  std::vector<std::string> stop;
  std::vector<Tokens> scripts;  // of the streams in turn, for tests and benchmarks
  bool ignore_eos = false;
};

}  // namespace polyphon
