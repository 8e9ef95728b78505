#include "sessions/session_sinks.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace polyphon {

SessionSinks::SessionSinks(size_t most_waiting)
    : most_waiting_(most_waiting), thread_([this] { run(); }) {}

SessionSinks::~SessionSinks() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

int SessionSinks::add(Sink sink) {
  const std::lock_guard lock(mutex_);
  sinks_[++last_sink_] = std::make_shared<const Sink>(std::move(sink));
  return last_sink_;
}

void SessionSinks::remove(int sink, std::chrono::milliseconds patience) {
  wait(patience);
  std::unique_lock lock(mutex_);
  sinks_.erase(sink);
  changed_.wait(lock, [&] { return running_ != sink; });
}

void SessionSinks::push(FinishedSession session) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= most_waiting_) {
      ++dropped_;
      return;
    }
    ++pushed_;
    waiting_.push_back(std::move(session));
  }
  changed_.notify_all();
}

bool SessionSinks::wait(std::chrono::milliseconds patience) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, [this, all = pushed_] { return taken_ >= all; });
}

int64_t SessionSinks::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

void SessionSinks::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const FinishedSession session = std::move(waiting_.front());
    waiting_.pop_front();
    for (auto next = sinks_.begin(); next != sinks_.end(); next = sinks_.upper_bound(running_)) {
      const auto sink = next->second;
      running_ = next->first;
      lock.unlock();
      try {
        (*sink)(session);
      } catch (const std::exception& error) {
        spdlog::error("a finished session is not recorded: {}", error.what());
      }
      lock.lock();
      changed_.notify_all();
    }
    running_ = 0;
    ++taken_;
    changed_.notify_all();
  }
}

}  // namespace polyphon
