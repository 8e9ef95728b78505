// Report of a self-play run.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/curriculum.h"
#include "data/rollouts.h"
#include "selfplay/proposal.h"

namespace polyphon {

struct SelfPlayReport {
  std::map<Cell, CellCounts> cells;     // including earlier runs; for topologies: counts of answers
  std::map<Cell, CellCounts> proposed;  // proposed problems, which do not change the difficulty
  std::vector<Cell> cold;               // cells without any success
  ProposalCounts proposals;             // of this run
  int64_t problems = 0;                 // of this run, including proposed ones
  int64_t promotions = 0;               // of this run
  int64_t counterfactuals = 0;          // of this run
  int64_t searches = 0;                 // of this run
  int64_t labelled_states = 0;          // labelled states of the searches' trees, of this run
  int64_t answers = 0;                  // sessions played to compare topologies, of this run
  int64_t resumed = 0;                  // problems found in the folder
  int64_t held_out_skipped = 0;
  std::vector<std::string> dropped;  // players that failed
  RolloutCounts found;               // what was found in the folder
};
Json to_json(const SelfPlayReport& report);

// Called during a run, one call at a time. Either function may be empty.
struct SelfPlayEvents {
  std::function<void(const SelfPlayReport&, const Cell&)> on_session;
  // A player failed: it gets no more problems, and others play the problems that it had.
  std::function<void(const std::string& player, const Error&)> on_dropped;
};

}  // namespace polyphon
