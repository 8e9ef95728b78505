// State that all tasks of a self-play run share: the next problem, the results so far, and the
// folder. Thread-safe.
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
  std::optional<Problem> problem = {};  // set when the problem is found
  std::string proposed = "";            // the question if the model proposed it, else empty
};

class PlayState {
 public:
  // Continues where the rollouts in `folder` end. All references must outlive this object.
  PlayState(const SelfPlayOptions& options, const std::set<std::string>& held_out,
            const std::string& folder, const SelfPlayEvents& events);

  // The next task; none if the folder has all wanted problems or every family rests.
  std::optional<PlayTask> next();
  // Stores all sessions of one problem. Throws Error if they cannot be written.
  void record(const std::vector<Trace>& traces, const std::vector<Outcome>& outcomes);
  // Call when a player has failed and gets no more tasks.
  void dropped(const Player& player, const Error& error);

  Problem generate(const Cell& cell);
  // Example questions for a model that should propose a problem: questions of the cell that some
  // streams had right and some wrong; generated ones while there are few of these.
  std::vector<std::string> examples(const Cell& cell, uint64_t seed);
  // Like take_proposal() in selfplay/proposal.h; also counts the result.
  std::optional<Problem> take_proposal(const std::string& question, const Family& of,
                                       int difficulty, uint64_t seed,
                                       const std::vector<std::string>& examples);

  // Call when all tasks have ended.
  SelfPlayReport finish();

 private:
  // With the lock held:
  void count(const std::vector<Outcome>& of_problem);
  void update_report();

  const SelfPlayOptions& options_;
  const std::string& folder_;
  const SelfPlayEvents& events_;
  std::mutex mutex_;  // guards all members below
  Curriculum curriculum_;
  ProblemSource source_;
  // Questions that some streams had right and some wrong.
  std::map<Cell, std::vector<std::string>> mixed_;
  SelfPlayReport report_;
  int64_t sessions_ = 0;  // sessions begun, including earlier runs
};

}  // namespace polyphon
