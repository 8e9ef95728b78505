// An unbounded queue from one thread to another. push() never blocks, so the decode thread may
// call it; the producer's token budget bounds what can pile up.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

namespace polyphon {

template <typename T>
class Channel {
 public:
  // Any thread. Dropped silently once the channel is closed.
  void push(T value) {
    {
      std::lock_guard lock(mutex_);
      if (closed_) return;
      items_.push_back(std::move(value));
    }
    ready_.notify_one();
  }

  // Any thread. Blocks until an item is there, the channel is closed and drained, or the time is
  // up; the last two give nullopt.
  std::optional<T> pop(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    ready_.wait_for(lock, timeout, [&] { return !items_.empty() || closed_; });
    if (items_.empty()) return std::nullopt;
    T value = std::move(items_.front());
    items_.pop_front();
    return value;
  }

  // Any thread. What is queued can still be popped.
  void close() {
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
    }
    ready_.notify_all();
  }

  // True once closed and drained: nothing will ever come again.
  bool finished() const {
    std::lock_guard lock(mutex_);
    return closed_ && items_.empty();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<T> items_;  // guarded by mutex_
  bool closed_ = false;  // guarded by mutex_
};

}  // namespace polyphon
