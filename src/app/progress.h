// How far a long command is, on standard error: a line that is redrawn on a terminal, and elsewhere
// a line every half minute, so that a log shows that it goes on.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <thread>

#include "base/clock.h"

namespace polyphon {

// "45 s", "4 min 5 s", "2 h 10 min"
std::string duration_text(double seconds);

// "37 of 78 samples (47 %), 0.6/s, 1 min 8 s left". `done_before` were done by an earlier run and
// say nothing of the rate; before the first of this run there is no estimate.
std::string progress_text(const std::string& what, size_t done_before, size_t done, size_t all,
                          double seconds);

// Any thread may call advance(); the line is drawn by a thread of its own until the destructor.
class Progress {
 public:
  Progress(std::string what, size_t done_before, size_t all);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void advance();

 private:
  void draw();  // mutex_ is held

  const std::string what_;
  const size_t done_before_, all_;
  const bool screen_;
  const SteadyClock clock_;
  const TimePoint began_ = clock_.now();
  std::mutex mutex_;
  std::condition_variable_any ended_;
  size_t done_;  // mutex_
  std::jthread drawer_;
};

}  // namespace polyphon
