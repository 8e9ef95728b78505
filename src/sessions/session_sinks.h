// Those who are told of every session that has finished, thinking or plain, whether or not its
// client is still there: traces, memory, figures. They are called by a thread of their own, one
// session after the other, so that a slow one holds up neither the decode thread nor a request.
// Thread-safe.
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
  bool keeps_memory = false;  // in the tenant's store
  Finished finished;
};

class SessionSinks {
 public:
  // May block, and may throw Error, which is logged.
  using Sink = std::function<void(const FinishedSession&)>;

  // `most_waiting`: sessions that wait for their sinks; one more is dropped and counted.
  explicit SessionSinks(size_t most_waiting = 256);
  // The sinks hear of all that was pushed.
  ~SessionSinks();

  // In the order in which they are called. The number is for remove().
  int add(Sink sink);
  // It is not called any more when this returns. It hears first of what was pushed so far, if the
  // sinks need no longer than `patience`.
  void remove(int sink, std::chrono::milliseconds patience);

  // Does not block.
  void push(FinishedSession session);
  // Blocks until the sinks have heard of all that was pushed so far, or the time is up (false).
  bool wait(std::chrono::milliseconds patience) const;
  int64_t dropped() const;

 private:
  void run();

  const size_t most_waiting_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::map<int, std::shared_ptr<const Sink>> sinks_;  // mutex_
  std::deque<FinishedSession> waiting_;               // mutex_
  int last_sink_ = 0, running_ = 0;                   // mutex_; the sink that is being called
  int64_t pushed_ = 0, taken_ = 0, dropped_ = 0;      // mutex_
  bool ending_ = false;                               // mutex_

  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace polyphon
