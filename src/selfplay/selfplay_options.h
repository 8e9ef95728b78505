// What self-play is asked for, and the request that each of its sessions makes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "selfplay/topology_play.h"
#include "sessions/player.h"
#include "tasks/problem.h"

namespace polyphon {

// What labels for the gate are made of: sessions with registers, and some of them again without one
// of their promotions.
struct CounterfactualOptions {
  int registers = 0;            // 0: plain sessions
  int cadence_tokens = 24;      // of notes, and at least between two promotions
  double most_threshold = 0.5;  // of the gate, drawn from 0 to this for each session: what the
                                // gate would not choose is then tried as well
  double share = 1;             // of the promotions, each left out in a session of its own
};

// What labels for the value head are made of: searches whose states are all played out. Off unless
// its mode says otherwise.
SearchRequest searches_to_learn_from();

struct SelfPlayOptions {
  std::vector<std::string> families;
  int streams = 8;  // of a session, each with a strategy in turn
  int tokens = 96;  // of a stream
  float temperature = 0.8f;
  CounterfactualOptions counterfactuals;
  double proposed_share = 0;  // of the problems that the model is asked to propose itself
  SearchRequest search = searches_to_learn_from();
  TopologyPlay topologies;  // on: instead of one session of `streams` x `tokens` a problem
  uint64_t seed = 1;
  int parallel = 4;      // problems at once, of each player
  int64_t problems = 0;  // in the folder, with those of earlier runs; 0: no limit
  double seconds = 0;    // of this run; 0: no limit
};

// What a session plays: topology NxT, strategies in turn, registers and searches if they are asked
// for; all streams end by themselves and are merged by views up to the instruction that asks for
// the answer.
ThinkInput self_play_input(const Problem& problem, const SelfPlayOptions& options,
                           uint64_t session);
SessionTerms self_play_terms(const SelfPlayOptions& options);

}  // namespace polyphon
