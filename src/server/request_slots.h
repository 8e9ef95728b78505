// Limits how many requests generate at the same time, and refuses new ones when the server stops.
// Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

namespace polyphon {

class RequestSlots {
 public:
  explicit RequestSlots(int most) : most_(most) {}

  // Held until the last byte of a request's answer.
  class Slot {
   public:
    explicit Slot(RequestSlots& slots) : slots_(&slots) {}
    ~Slot() {
      if (slots_) slots_->release();
    }
    Slot(Slot&& other) noexcept : slots_(std::exchange(other.slots_, nullptr)) {}
    Slot& operator=(Slot&&) = delete;

   private:
    RequestSlots* slots_;
  };

  // Throws Error{kUnavailable} after close(), and Error{kOverloaded} if all slots are taken.
  Slot take();
  // Refuses all new requests from now on.
  void close();
  bool closed() const;
  // Blocks until no slot is taken (true) or the time is up (false).
  bool wait_idle(std::chrono::milliseconds timeout);
  // Makes running requests end with Error{kUnavailable}.
  void cut_off();
  bool is_cut_off() const;

 private:
  void release();

  mutable std::mutex mutex_;
  std::condition_variable idle_;
  const int most_;
  int taken_ = 0;         // guarded by mutex_
  bool closed_ = false;   // guarded by mutex_
  bool cut_off_ = false;  // guarded by mutex_
};

}  // namespace polyphon
