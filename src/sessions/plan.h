// Makes a session's plan fit into the cache and the caps, and offers the model topologies to choose
// from. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "core/topology.h"
#include "model/vocabulary.h"
#include "sessions/capacity.h"
#include "streams/options.h"

namespace polyphon {

// What is available.
struct PlanLimits {
  int cells = 0;
  int sequences = 0;
  int positions = 0;  // the model's trained context
  int64_t bytes_per_cell = 0;
};

// Why the request cannot run as it is, with figures; empty if it can.
std::string misfit(const ThinkRequest& request, const ReasonOptions& options,
                   const Vocabulary& vocabulary, const PlanLimits& limits);

// Changes the request so that it fits the limits and the caps. "auto" reduces its budget until it
// fits. An explicit topology that does not fit throws Error{kInvalidArgument, field
// "polyphon.topology"} with the figures; only its searches may get fewer sequences. With `narrow`
// the topology gets fewer streams instead, then shorter ones. A prompt that leaves no room at all
// throws with field "messages". Returns a note for the trace about what was changed; empty if
// nothing.
std::string fit_plan(ThinkRequest& request, const ReasonOptions& options,
                     const Vocabulary& vocabulary, const PlanLimits& limits, bool narrow);

// The topologies that "auto" chooses from. Each spends `budget_tokens`: from one long stream to
// many short ones, and hybrids that continue with one stream after a merge.
std::vector<Topology> auto_topologies(int budget_tokens, const PlanCaps& caps);
// A GBNF grammar that allows exactly the names of `topologies`.
std::string topology_grammar(const std::vector<Topology>& topologies);
// The user's turn that asks for a topology.
std::string plan_instruction(const std::vector<Topology>& topologies);

}  // namespace polyphon
