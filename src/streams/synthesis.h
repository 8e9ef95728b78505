// The fixed texts around the streams: cues, headers of attempts, and the instruction for the
// answer. Plain text; the caller tokenizes it.
#pragma once

#include <string>
#include <vector>

#include "core/topology.h"
#include "model/vocabulary.h"
#include "streams/strategy.h"

namespace polyphon {

// Upper bound of the length of an attempt's header in tokens; the plan of cells uses it.
inline constexpr int kMaxAttemptHeaderTokens = 64;

// One finished stream as input of a merge.
struct Attempt {
  std::string strategy;
  Tokens tokens;
  std::string text;
};

// The user's turn between the streams and the answer. It speaks of attempts, unless the last phase
// has one stream. It ends with a repetition of `request`, unless that is empty: small models lose
// sight of the request after many streams.
std::string merge_instruction(const Topology& topology, const std::string& request);
// Text between two phases, in the assistant's voice.
std::string bridge_text();
// Cue for a stream that wants to stop before its budget is spent.
std::string urge_cue();
// Cue that turns a follower to another strategy.
std::string reseed_cue(const Strategy& strategy);

// The tokens decoded again before the instruction: for kv none; for prefill every attempt under a
// header; for compact only the conclusions of the attempts.
Tokens scaffold(MergeMode mode, const std::vector<Attempt>& attempts, const Vocabulary& vocabulary);

}  // namespace polyphon
