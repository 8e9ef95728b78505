// Self-play for the topology head: each problem is played with several topologies of equal budget,
// and the outcome of a session is whether its answer was right. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "record/trace.h"
#include "sessions/reasoner.h"
#include "streams/options.h"

namespace polyphon {

struct TopologyPlay {
  // At least two different topologies; one without phases is "auto": the model states its own.
  // Empty: off.
  std::vector<Topology> choices;
  int budget_tokens = 0;  // token budget of each choice

  bool on() const { return !choices.empty(); }
  std::vector<std::string> names() const;
};

// `names`: names of topologies, possibly "auto"; or "all": every topology that "auto" chooses from
// with `budget_tokens`, and "auto" itself. Throws Error{kInvalidArgument, field "topologies"} if
// one spends another budget (also for "all", if the budget does not divide evenly), if one is
// listed twice, and if fewer than two are not "auto".
TopologyPlay parse_topology_play(const std::vector<std::string>& names, int budget_tokens,
                                 const PlanCaps& caps);

// Makes the request answer like a user's request: by vote of the last phase's streams, or by a
// merge if none of them states an answer.
void play_topology(ThinkInput& input, const Topology& choice);

// Throws Error{kInvalidArgument} if the player planned with another budget.
void require_budget(const Trace& trace, int budget_tokens);

}  // namespace polyphon
