#include "server/request_slots.h"

#include <fmt/format.h>

#include "base/error.h"

namespace polyphon {

RequestSlots::Slot RequestSlots::take() {
  std::lock_guard lock(mutex_);
  if (closed_) throw Error(ErrorCode::kUnavailable, "the server is stopping");
  if (taken_ >= most_)
    throw Error(ErrorCode::kOverloaded,
                fmt::format("all {} request slots are in use: try again later", taken_));
  ++taken_;
  return Slot(*this);
}

void RequestSlots::release() {
  std::lock_guard lock(mutex_);
  if (--taken_ == 0) idle_.notify_all();
}

void RequestSlots::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
}

bool RequestSlots::closed() const {
  std::lock_guard lock(mutex_);
  return closed_;
}

bool RequestSlots::wait_idle(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  return idle_.wait_for(lock, timeout, [this] { return taken_ == 0; });
}

void RequestSlots::cut_off() {
  std::lock_guard lock(mutex_);
  cut_off_ = true;
}

bool RequestSlots::is_cut_off() const {
  std::lock_guard lock(mutex_);
  return cut_off_;
}

}  // namespace polyphon
