// How a plan is made to fit what there is, and how the model may state its own.
#pragma once

#include <string>
#include <vector>

#include "core/topology.h"
#include "model/vocabulary.h"
#include "sessions/capacity.h"
#include "streams/options.h"

namespace polyphon {

// What there is.
struct PlanLimits {
  int cells = 0;
  int sequences = 0;
  int positions = 0;  // the model's trained context
  int64_t bytes_per_cell = 0;
};

// Why the request cannot run as it is, with the figures; empty when it can.
std::string misfit(const ThinkRequest& request, const ReasonOptions& options,
                   const Vocabulary& vocabulary, const PlanLimits& limits);

// Makes the request fit the limits and the caps. "auto" spends less until it fits. An explicit
// topology that does not fit, but for its searches' sequences, throws Error{kInvalidArgument, field
// "polyphon.topology"} with the figures; with `narrow` it gets fewer streams instead, then shorter
// ones. A prompt that leaves no room at all throws with field "messages". Returns what was done,
// for the trace; empty if nothing.
std::string fit_plan(ThinkRequest& request, const ReasonOptions& options,
                     const Vocabulary& vocabulary, const PlanLimits& limits, bool narrow);

// The topologies that "auto" chooses from: each spends `budget_tokens`, from one long stream to
// many short ones, and hybrids that go on with one stream after a merge.
std::vector<Topology> auto_topologies(int budget_tokens, const PlanCaps& caps);
// GBNF that generates exactly the names of `topologies`.
std::string topology_grammar(const std::vector<Topology>& topologies);
// The user's turn that asks for a topology.
std::string plan_instruction(const std::vector<Topology>& topologies);

}  // namespace polyphon
