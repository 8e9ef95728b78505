// Delivers every finished session, thinking or plain, to a list of sinks (traces, memory, figures),
// even if the session's client is gone. One thread calls the sinks, one session after the other, so
// a slow sink delays neither the decode thread nor a request. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "memory/stored_memory.h"
#include "streams/events.h"

namespace polyphon {

struct FinishedSession {
  std::string tenant;
  ComputedBy computed_by;
  bool keeps_memory = false;  // whether its memory goes to the tenant's store
  Finished finished;
};

class SessionSinks {
 public:
  // A sink may block. An exception that it throws is logged.
  using Sink = std::function<void(const FinishedSession&)>;

  // `most_waiting`: size of the queue of sessions. A session that does not fit is dropped and
  // counted.
  explicit SessionSinks(size_t most_waiting = 256);
  // Delivers all sessions of the queue first.
  ~SessionSinks();

  // Adds a sink; sinks are called in this order. The result is the number for remove().
  int add(Sink sink);
  // Removes a sink; it is not called after this returns. Waits at most `patience` until the queue
  // has been delivered to it.
  void remove(int sink, std::chrono::milliseconds patience);

  // Does not block.
  void push(FinishedSession session);
  // Blocks until all sessions pushed so far are delivered. Returns false if that takes longer than
  // `patience`.
  bool wait(std::chrono::milliseconds patience) const;
  int64_t dropped() const;

 private:
  void run();

  const size_t most_waiting_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::map<int, std::shared_ptr<const Sink>> sinks_;  // mutex_
  std::deque<FinishedSession> waiting_;               // mutex_
  int last_sink_ = 0, running_ = 0;  // mutex_; running_: number of the sink that is being called
  int64_t pushed_ = 0, taken_ = 0, dropped_ = 0;  // mutex_
  bool ending_ = false;                           // mutex_

  std::jthread thread_;  // last member: the thread uses the others
};

}  // namespace polyphon
