// Options of self-play, and the request of each of its sessions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "selfplay/topology_play.h"
#include "sessions/player.h"
#include "tasks/problem.h"

namespace polyphon {

// Labels for the gate: sessions with registers, some of them played again without one of their
// promotions.
struct CounterfactualOptions {
  int registers = 0;        // 0: plain sessions
  int cadence_tokens = 24;  // cadence of notes, and least distance of two promotions
  // Each session draws the gate's threshold from 0 to this, so that candidates which the gate would
  // not choose are tried too.
  double most_threshold = 0.5;
  double share = 1;  // share of the promotions that are left out, each in a session of its own
};

// Labels for the value head: searches whose states are all played out. Off unless its mode is set.
SearchRequest searches_to_learn_from();

struct SelfPlayOptions {
  std::vector<std::string> families;
  int streams = 8;  // streams of a session; strategies are assigned in turn
  int tokens = 96;  // token budget of a stream
  float temperature = 0.8f;
  CounterfactualOptions counterfactuals;
  double proposed_share = 0;  // share of problems that the model is asked to propose
  SearchRequest search = searches_to_learn_from();
  TopologyPlay topologies;  // if on, replaces the one session of `streams` x `tokens` per problem
  uint64_t seed = 1;
  int parallel = 4;      // problems at the same time, per player
  int64_t problems = 0;  // problems in the folder, including earlier runs; 0: no limit
  double seconds = 0;    // time limit of this run; 0: no limit
};

// The request of one session: topology NxT, strategies in turn, registers and searches if asked
// for. Streams end only by themselves. They are merged by views, up to the instruction that asks
// for the answer.
ThinkInput self_play_input(const Problem& problem, const SelfPlayOptions& options,
                           uint64_t session);
SessionTerms self_play_terms(const SelfPlayOptions& options);

}  // namespace polyphon
