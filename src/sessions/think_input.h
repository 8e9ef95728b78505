// What Reasoner::think() is asked. Plain.
#pragma once

#include <string>
#include <vector>

#include "core/sampling.h"
#include "core/topology.h"
#include "model/chat_template.h"
#include "record/think_request.h"

namespace polyphon {

// A problem as a user states it: chat messages and wishes; Reasoner renders and tokenizes.
struct ThinkInput {
  ChatInput chat;
  Topology topology;
  MergeMode merge = MergeMode::kKv;
  SamplingParams sampling;
  SamplingParams answer_sampling;
  std::vector<std::string> stop;
  WorkspaceRequest workspace;
  DiversityRequest diversity;
  SearchRequest search;
  MemoryRequest memory;
  std::vector<Tokens> scripts;  // of the streams in turn, for tests and benchmarks
  int max_answer_tokens = 512;
  bool narrow = false;  // narrow a plan that does not fit instead of refusing it
  bool ignore_eos = false;
};

}  // namespace polyphon
