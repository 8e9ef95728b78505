// Sessions of recall: streams that state facts and ask for each other's (tasks/recall_play.h), kept
// like self-play, for memory's heads to learn from. What each question needs is known, so nothing
// has to be right.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "data/rollouts.h"
#include "sessions/reasoner.h"
#include "tasks/recall_play.h"

namespace polyphon {

// What becomes of what the heads choose.
struct RecallPolicy {
  double write_threshold = 0;  // 0: every sentence becomes a node
  int max_recall_tokens = 0;   // 0: the read head looks, and nothing is brought back
  int max_nodes = 1024;
};

// One strategy, and no stream that ends or changes another.
void undisturbed_recall(ReasonOptions& options);

ThinkInput recall_input(const RecallPlay& play, const RecallPolicy& policy);
// Size of a cache that holds a session of that size, on models whose vocabulary has words.
int recall_cells(const RecallPlayOptions& play, const RecallPolicy& policy);

struct RecallRolloutOptions {
  RecallPlayOptions play;
  uint64_t seed = 1;
  int64_t sessions = 0;  // in the folder, with those of earlier runs; 0: no limit
  double seconds = 0;    // of this run; 0: no limit
};

// Blocks until the limits are reached or `stop` is set. `on_session` hears how many sessions the
// folder has. The reasoner should be undisturbed_recall(). Throws as self_play() does.
RolloutCounts play_recall(Reasoner& reasoner, const RecallRolloutOptions& options,
                          const std::string& folder, const std::atomic<bool>& stop,
                          const std::function<void(int64_t)>& on_session);

}  // namespace polyphon
