// Self-play from which the topology head learns: each problem is played with several topologies
// that spend the same budget, and what is kept of each session is whether its answer was right.
// Pure functions.
#pragma once

#include <string>
#include <vector>

#include "record/trace.h"
#include "sessions/reasoner.h"
#include "streams/options.h"

namespace polyphon {

struct TopologyPlay {
  // At least two, all different; without phases ("auto"): as the model states it. Empty: sessions
  // are not played for this head.
  std::vector<Topology> choices;
  int budget_tokens = 0;  // of each

  bool on() const { return !choices.empty(); }
  std::vector<std::string> names() const;
};

// Names of topologies, "auto" among them, or "all": each that "auto" chooses from over
// `budget_tokens`, and "auto". Throws Error{kInvalidArgument, field "topologies"} for one that
// spends something else (so does one of "all" when the budget does not divide evenly), one that is
// there twice, and fewer than two that are not "auto".
TopologyPlay parse_topology_play(const std::vector<std::string>& names, int budget_tokens,
                                 const PlanCaps& caps);

// How the session of one choice differs from plain self-play: it is answered as a user's would be,
// by vote of the last phase's streams, and by a merge where none of them states an answer.
void play_topology(ThinkInput& input, const Topology& choice);

// Throws Error{kInvalidArgument} when the player planned over another budget.
void require_budget(const Trace& trace, int budget_tokens);

}  // namespace polyphon
