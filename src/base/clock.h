// Time as a seam: tests set it by hand.
#pragma once

#include <chrono>

namespace polyphon {

using TimePoint = std::chrono::steady_clock::time_point;

// now() is called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
};

class SteadyClock final : public Clock {
 public:
  TimePoint now() const override { return std::chrono::steady_clock::now(); }
};

inline double milliseconds_between(TimePoint from, TimePoint to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

}  // namespace polyphon
