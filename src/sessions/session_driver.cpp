#include "sessions/session_driver.h"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "base/check.h"

namespace polyphon {
namespace {

// Thrown if the player gave up because of the stop.
struct Stopped {};

template <typename Body>
auto at_player(const Seat& seat, Body body) {
  try {
    return body();
  } catch (const Error& error) {
    if (seat.stopped() && error.code() == ErrorCode::kCancelled) throw Stopped();
    throw PlayerFailed{error};
  }
}

// State that all workers of a run share. Thread-safe.
class Drive {
 public:
  Drive(const std::vector<Player*>& players, const DriveOptions& options,
        const std::atomic<bool>& stop, const std::function<std::optional<SessionTask>()>& next,
        const std::function<void(const Player&, const Error&)>& on_dropped)
      : options_(options),
        stop_{stop, options.stop_ends_sessions},
        next_(next),
        on_dropped_(on_dropped),
        players_left_(players.begin(), players.end()) {}

  // Plays tasks until there are none for this player.
  void work(Player& player) {
    try {
      while (auto task = take(player)) play(player, *task);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
    }
  }

  // Call when all workers have ended.
  void finish() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  // Takes the next task. Waits while running tasks may come back or lead to new ones.
  std::optional<SessionTask> take(Player& player) {
    // Polls, because a stop sends no notification.
    constexpr std::chrono::milliseconds kPatience{100};
    std::unique_lock lock(mutex_);
    while (!over() && players_left_.contains(&player)) {
      auto task = next_task();
      if (task) ++in_play_;
      if (task || in_play_ == 0) return task;
      changed_.wait_for(lock, kPatience);
    }
    return std::nullopt;
  }

  void play(Player& player, SessionTask& task) {
    KeepTask keep;
    std::optional<Error> failed;
    try {
      keep = task(Seat(player, options_.terms, stop_));
    } catch (const PlayerFailed& failure) {
      failed = failure.error;
    } catch (const Stopped&) {
    }
    const std::lock_guard lock(mutex_);
    --in_play_;
    changed_.notify_all();
    if (failed) give_back(player, std::move(task), *failed);
    if (keep) keep();
  }

  // With the lock held:
  bool over() const {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - began_;
    return failure_ || stop_.asked.load() ||
           (options_.seconds > 0 && elapsed.count() >= options_.seconds);
  }

  std::optional<SessionTask> next_task() {
    if (returned_.empty()) return next_();
    SessionTask task = std::move(returned_.back());
    returned_.pop_back();
    return task;
  }

  void give_back(Player& player, SessionTask task, const Error& error) {
    returned_.push_back(std::move(task));
    if (players_left_.erase(&player) == 0) return;
    if (on_dropped_) on_dropped_(player, error);
    if (players_left_.empty() && !failure_) failure_ = std::make_exception_ptr(error);
  }

  const DriveOptions& options_;
  const Stop stop_;
  const std::function<std::optional<SessionTask>()>& next_;
  const std::function<void(const Player&, const Error&)>& on_dropped_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::mutex mutex_;  // guards all members below and the calls of next_ and on_dropped_
  std::condition_variable changed_;  // a task ended
  std::set<Player*> players_left_;
  std::vector<SessionTask> returned_;  // tasks of players that failed
  int in_play_ = 0;
  std::exception_ptr failure_;
};

}  // namespace

Finished Seat::play(const ThinkInput& input) const {
  Finished finished = at_player(*this, [&] { return player_.play(input, terms_, stop_); });
  if (stop_.ends_sessions && stopped()) throw Stopped();
  return finished;
}

std::string Seat::go_on(const Continuation& from) const {
  return at_player(*this, [&] { return player_.go_on(from, terms_, stop_); });
}

void drive_sessions(const std::vector<Player*>& players, const DriveOptions& options,
                    const std::atomic<bool>& stop,
                    const std::function<std::optional<SessionTask>()>& next,
                    const std::function<void(const Player&, const Error&)>& on_dropped) {
  POLYPHON_CHECK(!options.terms.cancelled && options.parallel >= 1);
  Drive drive(players, options, stop, next, on_dropped);
  {
    std::vector<std::jthread> workers;
    for (Player* const player : players)
      for (int i = 0; i < options.parallel; ++i)
        workers.emplace_back([&drive, player] { drive.work(*player); });
  }
  drive.finish();
}

}  // namespace polyphon
