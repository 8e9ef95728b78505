// Signs of life of the decode thread. The decode thread writes, any thread reads, nobody locks: the
// reader learns of a decode thread that hangs, also of one that hangs with a mutex held.
#pragma once

#include <algorithm>
#include <atomic>

#include "base/clock.h"
#include "engine/engine.h"

namespace polyphon {

class Heartbeat {
 public:
  explicit Heartbeat(const Clock& clock) : clock_(clock) {}

  // Decode thread. A step begins: the one before has ended, or the thread woke.
  void begin_step() {
    begun_.store(clock_.now(), std::memory_order_relaxed);
    enter(Activity::kSessions);
  }
  // Decode thread. What the step does now; kIdle when there is nothing to do.
  void enter(Activity activity) { activity_.store(activity, std::memory_order_release); }

  Activity activity() const { return activity_.load(std::memory_order_acquire); }
  // Age of the current step; 0 when idle. The activity is read first, so that the time before the
  // thread woke is never counted.
  double step_ms() const {
    if (activity() == Activity::kIdle) return 0;
    return std::max(0.0,
                    milliseconds_between(begun_.load(std::memory_order_relaxed), clock_.now()));
  }

 private:
  const Clock& clock_;
  std::atomic<Activity> activity_ = Activity::kIdle;
  std::atomic<TimePoint> begun_ = TimePoint{};
};

}  // namespace polyphon
