// What a run of self-play says of itself.
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
  std::map<Cell, CellCounts> cells;     // with those of earlier runs; of topologies the answers
  std::map<Cell, CellCounts> proposed;  // by the model, apart: they turn no dial
  std::vector<Cell> cold;               // without any success
  ProposalCounts proposals;             // of this run
  int64_t problems = 0;                 // of this run, proposed ones too
  int64_t promotions = 0;               // of this run
  int64_t counterfactuals = 0;          // of this run
  int64_t searches = 0;                 // of this run
  int64_t labelled_states = 0;          // of their trees, of this run
  int64_t answers = 0;                  // of sessions with one topology each, of this run
  int64_t resumed = 0;                  // problems found in the folder
  int64_t held_out_skipped = 0;
  std::vector<std::string> dropped;  // players that could not go on
  RolloutCounts found;               // what was read of the folder
};
Json to_json(const SelfPlayReport& report);

// What a run tells while it goes on, under a lock. Either may be empty.
struct SelfPlayEvents {
  std::function<void(const SelfPlayReport&, const Cell&)> on_session;
  // A player could not play: it gets no more problems, and others play those that it had.
  std::function<void(const std::string& player, const Error&)> on_dropped;
};

}  // namespace polyphon
