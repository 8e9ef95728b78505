// Self-play: the model's own attempts at problems, generated ones and those it proposed, checked
// exactly, kept as traces with outcomes. Played at background priority, here or by servers.
#pragma once

#include <atomic>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "pipeline/curriculum.h"
#include "pipeline/player.h"
#include "pipeline/problem_source.h"
#include "pipeline/proposal.h"
#include "pipeline/rollouts.h"
#include "pipeline/topology_play.h"
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

// What a session plays: topology NxT, strategies in turn, registers and searches if they are asked
// for; all streams end by themselves and are merged by views up to the instruction that asks for
// the answer.
ThinkInput self_play_input(const Problem& problem, const SelfPlayOptions& options,
                           uint64_t session);
SessionTerms self_play_terms(const SelfPlayOptions& options);

// What a run tells while it goes on, under a lock. Either may be empty.
struct SelfPlayEvents {
  std::function<void(const SelfPlayReport&, const Cell&)> on_session;
  // A player could not play: it gets no more problems, and others play those that it had.
  std::function<void(const std::string& player, const Error&)> on_dropped;
};

// Blocks until the limits are reached, every family rests, or `stop` is set and what runs has
// ended. `players` is not empty and outlives the call. Throws Error{kInvalidArgument} when they do
// not all have the same model and version, the last one's Error when none is left, and the first
// Error of writing the folder; what was written stays, and a later run goes on from there.
SelfPlayReport self_play(const std::vector<Player*>& players, const SelfPlayOptions& options,
                         const std::set<std::string>& held_out, const std::string& folder,
                         const std::atomic<bool>& stop, const SelfPlayEvents& events);

}  // namespace polyphon
