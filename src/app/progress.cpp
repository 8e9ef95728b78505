#include "app/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <iostream>

namespace polyphon {

std::string duration_text(double seconds) {
  const auto whole = static_cast<long long>(seconds + 0.5);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

std::string progress_text(const std::string& what, size_t done_before, size_t done, size_t all,
                          double seconds) {
  std::string text = fmt::format("{} of {} {} ({} %)", done, all, what, 100 * done / all);
  if (done == done_before || seconds <= 0) return text;
  const double rate = static_cast<double>(done - done_before) / seconds;
  const double left = static_cast<double>(all - done) / rate;
  return text +
         (rate >= 0.1 ? fmt::format(", {:.1f}/s", rate) : fmt::format(", {:.1f}/min", 60 * rate)) +
         ", " + duration_text(left) + " left";
}

Progress::Progress(std::string what, size_t done_before, size_t all)
    : what_(std::move(what)),
      done_before_(done_before),
      all_(all),
      screen_(isatty(STDERR_FILENO) != 0),
      done_(done_before),
      drawer_([this](const std::stop_token& end) {
        const std::chrono::seconds pause(screen_ ? 1 : 30);
        std::unique_lock lock(mutex_);
        while (!end.stop_requested()) {
          if (all_ > 0) draw();
          ended_.wait_for(lock, end, pause, [] { return false; });
        }
      }) {}

Progress::~Progress() {
  drawer_.request_stop();
  drawer_.join();
  if (screen_) std::cerr << "\r\033[K";
}

void Progress::advance() {
  const std::lock_guard lock(mutex_);
  ++done_;
}

void Progress::draw() {
  const double seconds = milliseconds_between(began_, clock_.now()) / 1000;
  const std::string text = progress_text(what_, done_before_, done_, all_, seconds);
  std::cerr << (screen_ ? "\r" + text + "\033[K" : text + "\n") << std::flush;
}

}  // namespace polyphon
