// What a session that thinks was asked for, texts rendered and tokenized. Plain; recorded in its
// trace, from which it can be run again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/sampling.h"
#include "core/topology.h"
#include "record/memory_request.h"
#include "record/search_request.h"

namespace polyphon {

// What a session asks for.
struct WorkspaceRequest {
  int registers = 0;            // the first so many; 0: no workspace at all
  int cadence_tokens = 64;      // of the longest stream, between two notes of a register
  int refractory_tokens = 64;   // between two broadcasts
  double gate_threshold = 0.5;  // a candidate needs a probability above it
  int without_promotion = -1;   // counterfactual replay: this one is decided but not carried out
};

// What keeps a session's streams apart, and at it.
struct DiversityRequest {
  std::vector<std::string> strategies;       // by name, taken in turn; empty: all, in their order
  std::optional<double> temperature_ladder;  // instead of the configured one
  bool collapse_watch = true;                // if the configuration has it on
  bool agreement = true;                     // the same: streams that agree end the others
  // Budget forcing (s1, Muennighoff et al. 2025): a stream that would end early is told to check
  // its work, until its budget is spent.
  bool spend_budget = false;
  // Streams of one strategy begin with the most likely token, the second, and so on, instead of
  // drawing it: what comes first decides much of what follows (CoT-decoding, Wang & Zhou 2024,
  // arXiv:2402.10200).
  bool branch_first_token = false;
};

struct ThinkRequest {
  Tokens prompt;  // the rendered chat, the assistant's turn opened; not empty
  // Rendered by ChatTemplate::interjection: the turn that asks for a topology, and the turn that
  // asks for the synthesis (tokens; the answer is generated right after).
  Tokens plan_instruction;
  Tokens merge_instruction;
  Topology topology;  // no phases: auto
  MergeMode merge = MergeMode::kKv;
  SamplingParams sampling;  // of the streams, the ladder applied; seed of the whole session
  SamplingParams answer_sampling;
  GrammarSpec answer_grammar;     // response_format or tools
  std::vector<std::string> stop;  // of the answer
  int max_answer_tokens = 512;
  int auto_budget_tokens = 2048;  // what a planned topology spends (auto only)
  WorkspaceRequest workspace;
  DiversityRequest diversity;
  SearchRequest search;
  MemoryRequest memory;
  // What streams say first, in turn, see streams/script.h; none but in tests and benchmarks.
  std::vector<Tokens> scripts;
  bool ignore_eos =
      false;  // streams run to their budget (benchmarks); also switches off early stops
};

}  // namespace polyphon
