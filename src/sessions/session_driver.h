// Plays many sessions, at one player or at several, a number of them beside each other at each.
// Self-play and evaluation say what is played, and what is kept of it.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "sessions/player.h"

namespace polyphon {

// A task throws it for what is its player's fault. Seat makes one of each Error of the player.
struct PlayerFailed {
  Error error;
};

// Where tasks are played, one after the other: a player, and the terms of all sessions there.
class Seat {
 public:
  Seat(Player& player, const SessionTerms& terms, const Stop& stop)
      : player_(player), terms_(terms), stop_(stop) {}

  const Player& player() const { return player_; }
  bool stopped() const { return stop_.asked.load(); }
  // As the player's. Throw PlayerFailed for its Errors; when it gave up because of the stop, they
  // throw what only the driver catches, which forgets the task.
  Finished play(const ThinkInput& input) const;
  std::string go_on(const Continuation& from) const;

 private:
  Player& player_;
  const SessionTerms& terms_;
  const Stop stop_;
};

// Keeps what came of a task; empty: there is nothing to keep.
using KeepTask = std::function<void()>;
// One session, or a few that follow from each other. Called on a thread of the driver; again, at
// another player, when its player failed.
using SessionTask = std::function<KeepTask(const Seat&)>;

struct DriveOptions {
  int parallel = 1;    // tasks at once, at each player
  SessionTerms terms;  // of every session; without `cancelled`, for which there is the stop
  double seconds = 0;  // no task begins later than that; 0: no limit
  // Once stopped, sessions that run are given up where the player can; otherwise they end.
  bool stop_ends_sessions = false;
};

// Blocks until `next` has no task and none runs any more, the time is up or `stop` is set, and what
// runs has ended. `next`, what tasks return, and `on_dropped` are called one at a time, on threads
// of the driver: what came of tasks is kept in the order in which they end, and while tasks run,
// `next` is asked again after each of them.
// A player that fails gets no more tasks; another one plays the task. Throws the Error of the last
// player when none is left, and the first exception of anything else, once what runs has ended.
void drive_sessions(const std::vector<Player*>& players, const DriveOptions& options,
                    const std::atomic<bool>& stop,
                    const std::function<std::optional<SessionTask>()>& next,
                    const std::function<void(const Player&, const Error&)>& on_dropped = {});

}  // namespace polyphon
