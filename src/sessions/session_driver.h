// Plays many sessions with one or several players, a number of them at the same time on each.
// Self-play and evaluation define the tasks to play and what to keep of them.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "sessions/player.h"

namespace polyphon {

// Thrown by a task if its player failed. Seat turns each Error of the player into this.
struct PlayerFailed {
  Error error;
};

// What a task plays its sessions with: a player, and the terms of all sessions.
class Seat {
 public:
  Seat(Player& player, const SessionTerms& terms, const Stop& stop)
      : player_(player), terms_(terms), stop_(stop) {}

  const Player& player() const { return player_; }
  bool stopped() const { return stop_.asked.load(); }
  // Like the player's functions, but throw PlayerFailed for the player's Errors. If the player gave
  // up because of the stop, they throw a type that only the driver catches; the driver then drops
  // the task.
  Finished play(const ThinkInput& input) const;
  std::string go_on(const Continuation& from) const;

 private:
  Player& player_;
  const SessionTerms& terms_;
  const Stop stop_;
};

// Stores the result of a task; empty if there is nothing to store.
using KeepTask = std::function<void()>;
// One session, or a few that depend on each other. Runs on a thread of the driver. If its player
// fails, it runs again with another player.
using SessionTask = std::function<KeepTask(const Seat&)>;

struct DriveOptions {
  int parallel = 1;    // tasks at the same time, per player
  SessionTerms terms;  // terms of every session; `cancelled` must be empty, because `stop` is used
  double seconds = 0;  // no task begins after this time; 0: no limit
  // After a stop, give up running sessions if the player can; otherwise they run to their end.
  bool stop_ends_sessions = false;
};

// Blocks until all running tasks have ended and either `next` returns no task, the time is up, or
// `stop` is set. The driver calls `next`, the KeepTasks and `on_dropped` from its threads, one call
// at a time. Results are kept in the order in which tasks end. `next` is asked again after each
// task that ends. A player that fails gets no more tasks, and another player repeats its task.
// Throws the Error of the last player if no player is left, or the first other exception, after all
// running tasks have ended.
void drive_sessions(const std::vector<Player*>& players, const DriveOptions& options,
                    const std::atomic<bool>& stop,
                    const std::function<std::optional<SessionTask>()>& next,
                    const std::function<void(const Player&, const Error&)>& on_dropped = {});

}  // namespace polyphon
