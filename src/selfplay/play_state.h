// What all workers of a run of self-play share: which problem comes next, what came of those
// before, and the folder. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
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
  PlayState(const std::vector<Player*>& players, const SelfPlayOptions& options,
            const std::set<std::string>& held_out, const std::string& folder,
            const std::atomic<bool>& stop, const SelfPlayEvents& events);

  // The player's next task, which ends by one of record(), give_back() and abandon(); none when
  // there is nothing to do for it any more. Waits while the tasks of others may still come back.
  std::optional<PlayTask> take(Player& player);
  // It was played: all sessions of the problem. Throws Error when they cannot be written.
  void record(const std::vector<Trace>& traces, const std::vector<Outcome>& outcomes);
  // The player cannot play: it gets no more tasks, and this one is another's.
  void give_back(Player& player, const PlayTask& task, const Error& error);
  // The run stops before it was played.
  void abandon();
  // Ends the run with the first of them, which finish() throws.
  void fail(std::exception_ptr failure);

  Problem generate(const Cell& cell);
  // Questions that show a model what is wanted: those of the cell that divided the streams, neither
  // too easy nor too hard; generated ones stand in while there are few.
  std::vector<std::string> examples(const Cell& cell, uint64_t seed);
  // As selfplay/proposal.h's, and counted.
  std::optional<Problem> take_proposal(const std::string& question, const Family& of,
                                       int difficulty, uint64_t seed,
                                       const std::vector<std::string>& examples);

  // When all workers have ended.
  SelfPlayReport finish();

 private:
  // With the lock held:
  bool over() const;
  std::optional<PlayTask> next_task();
  void count(const std::vector<Outcome>& of_problem);
  void end_task();
  void update_report();

  const SelfPlayOptions& options_;
  const std::string& folder_;
  const std::atomic<bool>& stop_;
  const SelfPlayEvents& events_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::mutex mutex_;                 // all below
  std::condition_variable changed_;  // a task ended
  std::set<Player*> players_left_;
  Curriculum curriculum_;
  ProblemSource source_;
  std::map<Cell, std::vector<std::string>> mixed_;  // questions that some streams had right
  SelfPlayReport report_;
  std::vector<PlayTask> returned_;  // of players that were dropped
  int in_play_ = 0;
  int64_t sessions_ = 0;  // begun, with those of earlier runs
  std::exception_ptr failure_;
};

}  // namespace polyphon
