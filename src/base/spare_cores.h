// How many threads find a core of their own beside what else runs on the machine. Threads that
// compute side by side wait for each other hundreds of times a step: one that shares its core with
// another program stops all of them, and the step takes longer than on fewer threads.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"

namespace polyphon {

// CPU time on the cores that this process may use, since the machine started.
struct CpuUse {
  int cores = 0;
  // With processes of lower priority: they keep their core for milliseconds once they have it.
  double busy_seconds = 0;
  double own_seconds = 0;  // of these, this process's
};

// Nullopt where the system does not say. The folder is a parameter for tests.
std::optional<CpuUse> cpu_use(const std::string& proc = "/proc");

// Not thread-safe.
class SpareCores {
 public:
  // At most `wanted` threads.
  explicit SpareCores(int wanted) : wanted_(wanted), threads_(wanted) {}

  int threads() const { return threads_; }
  // Whether it is time for a look again.
  bool due(TimePoint now) const { return wanted_ > 1 && now >= next_look_; }
  void look(const std::optional<CpuUse>& use, TimePoint now);

 private:
  const int wanted_;
  int threads_;
  std::optional<CpuUse> last_use_;
  TimePoint last_look_, next_look_;
};

}  // namespace polyphon
