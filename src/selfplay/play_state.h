// What all tasks of a run of self-play share: which problem comes next, what came of those before,
// and the folder. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "data/problem_source.h"
#include "selfplay/selfplay_options.h"
#include "selfplay/selfplay_report.h"
#include "tasks/family.h"

namespace polyphon {

struct PlayTask {
  Cell cell;
  uint64_t session = 0;
  std::optional<Problem> problem = {};  // once it is found
  std::string proposed = "";            // the question, where the model proposed it
};

class PlayState {
 public:
  // Goes on where the rollouts in `folder` end. The references outlive this.
  PlayState(const SelfPlayOptions& options, const std::set<std::string>& held_out,
            const std::string& folder, const SelfPlayEvents& events);

  // None when the folder has all problems that are wanted, or every family rests.
  std::optional<PlayTask> next();
  // All sessions of a problem. Throws Error when they cannot be written.
  void record(const std::vector<Trace>& traces, const std::vector<Outcome>& outcomes);
  // The player plays no more.
  void dropped(const Player& player, const Error& error);

  Problem generate(const Cell& cell);
  // Questions that show a model what is wanted: those of the cell that divided the streams, neither
  // too easy nor too hard; generated ones stand in while there are few.
  std::vector<std::string> examples(const Cell& cell, uint64_t seed);
  // As selfplay/proposal.h's, and counted.
  std::optional<Problem> take_proposal(const std::string& question, const Family& of,
                                       int difficulty, uint64_t seed,
                                       const std::vector<std::string>& examples);

  // When all tasks have ended.
  SelfPlayReport finish();

 private:
  // With the lock held:
  void count(const std::vector<Outcome>& of_problem);
  void update_report();

  const SelfPlayOptions& options_;
  const std::string& folder_;
  const SelfPlayEvents& events_;
  std::mutex mutex_;  // all below
  Curriculum curriculum_;
  ProblemSource source_;
  std::map<Cell, std::vector<std::string>> mixed_;  // questions that some streams had right
  SelfPlayReport report_;
  int64_t sessions_ = 0;  // begun, with those of earlier runs
};

}  // namespace polyphon
