#include "base/spare_cores.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

namespace polyphon {
namespace {

// The kernel counts in ticks of 10 ms: less would be mostly noise.
constexpr std::chrono::milliseconds kBetweenLooks{250};
// A thread goes when less than half a core is left for it, and comes back when a little more is.
constexpr double kGo = 0.5, kComeBack = 0.6;

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

}  // namespace

std::optional<CpuUse> cpu_use(const std::string& proc) {
  cpu_set_t mine;
  rusage own{};
  if (sched_getaffinity(0, sizeof mine, &mine) != 0 || getrusage(RUSAGE_SELF, &own) != 0)
    return std::nullopt;
  std::ifstream stat(proc + "/stat");
  CpuUse use;
  double ticks = 0;
  // A line of a core: cpu<number> user nice system idle iowait irq softirq steal ...
  for (std::string line; std::getline(stat, line) && line.starts_with("cpu");) {
    if (line.starts_with("cpu ")) continue;
    if (const int core = std::atoi(line.c_str() + 3); core < CPU_SETSIZE && !CPU_ISSET(core, &mine))
      continue;
    std::istringstream fields(line.substr(line.find(' ')));
    double user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, soft_irq = 0, steal = 0;
    fields >> user >> nice >> system >> idle >> waiting >> irq >> soft_irq >> steal;
    ticks += user + nice + system + irq + soft_irq + steal;
    ++use.cores;
  }
  if (use.cores == 0) return std::nullopt;
  use.busy_seconds = ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
  use.own_seconds = seconds(own.ru_utime) + seconds(own.ru_stime);
  return use;
}

void SpareCores::look(const std::optional<CpuUse>& use, TimePoint now) {
  next_look_ = now + kBetweenLooks;
  const std::optional<CpuUse> before = std::exchange(last_use_, use);
  const double elapsed = milliseconds_between(std::exchange(last_look_, now), now) / 1000;
  if (!use || !before || elapsed <= 0) return;
  const double others =
      (use->busy_seconds - before->busy_seconds) - (use->own_seconds - before->own_seconds);
  const double free = use->cores - std::max(0.0, others / elapsed);
  if (free < threads_ - 1 + kGo)
    threads_ = std::max(1, static_cast<int>(std::floor(free + 1 - kGo)));
  else if (free >= threads_ + kComeBack)
    threads_ = std::min(wanted_, static_cast<int>(std::floor(free + 1 - kComeBack)));
}

}  // namespace polyphon
