// The words around the streams: cues that are fed, headers of attempts, the instruction for the
// answer. Plain text, tokenized by the caller.
#pragma once

#include <string>
#include <vector>

#include "core/topology.h"
#include "model/vocabulary.h"
#include "streams/strategy.h"

namespace polyphon {

// Above the length of any attempt's header, in tokens, for the plan.
inline constexpr int kMaxAttemptHeaderTokens = 64;

// One finished stream, as a merge sees it.
struct Attempt {
  std::string strategy;
  Tokens tokens;
  std::string text;
};

// The user's turn between the streams and the answer: speaks of attempts, unless the last phase has
// one stream only. Ends with the user's request said again, unless that is empty: after many
// streams small models have lost sight of it.
std::string merge_instruction(const Topology& topology, const std::string& request);
// Between two phases, in the assistant's voice.
std::string bridge_text();
// Told to a stream that would stop before its budget is spent.
std::string urge_cue();
// What turns a follower to another strategy.
std::string reseed_cue(const Strategy& strategy);

// What is decoded again before the instruction: nothing for kv; for prefill every attempt under a
// header; for compact only the attempts' conclusions.
Tokens scaffold(MergeMode mode, const std::vector<Attempt>& attempts, const Vocabulary& vocabulary);

}  // namespace polyphon
