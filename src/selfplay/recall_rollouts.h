// Plays sessions of recall: streams state facts and ask for each other's facts
// (tasks/recall_play.h). The sessions are kept like self-play, as training data for memory's heads.
// The right node for each question is known, so the sessions need not solve anything.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "data/rollouts.h"
#include "sessions/reasoner.h"
#include "tasks/recall_play.h"

namespace polyphon {

// How the session uses the heads' choices.
struct RecallPolicy {
  double write_threshold = 0;  // threshold of the write head; 0: every sentence becomes a node
  int max_recall_tokens = 0;   // 0: the read head scores nodes, but nothing is recalled
  int max_nodes = 1024;
};

// Changes options so that all streams have one strategy and no stream ends or changes another.
void undisturbed_recall(ReasonOptions& options);

ThinkInput recall_input(const RecallPlay& play, const RecallPolicy& policy);
// Size in cells of a cache that holds such a session, for models whose vocabulary has words.
int recall_cells(const RecallPlayOptions& play, const RecallPolicy& policy);

struct RecallRolloutOptions {
  RecallPlayOptions play;
  uint64_t seed = 1;
  int64_t sessions = 0;  // sessions in the folder, including earlier runs; 0: no limit
  double seconds = 0;    // time limit of this run; 0: no limit
};

// Blocks until a limit is reached or `stop` is set. `on_session` gets the number of sessions in the
// folder. Prepare the reasoner's options with undisturbed_recall(). Throws like self_play().
RolloutCounts play_recall(Reasoner& reasoner, const RecallRolloutOptions& options,
                          const std::string& folder, const std::atomic<bool>& stop,
                          const std::function<void(int64_t)>& on_session);

}  // namespace polyphon
