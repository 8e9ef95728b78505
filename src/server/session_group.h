// The sessions of one request, presented as one: the choices of the second prompt follow those of
// the first, and each Finished carries the usage so far. All sessions run from the start; their
// events are delivered one session after the other. One thread.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "sessions/reasoner.h"

namespace polyphon {

class SessionGroup {
 public:
  // `choices`: number of choices of each session.
  explicit SessionGroup(int choices = 1) : choices_(choices) {}
  void add(SessionTicket ticket) { tickets_.push_back(std::move(ticket)); }

  // Waits up to `timeout` for the next event; none if there is none yet. Throws Error{kInternal} if
  // a session ended without a last event.
  std::optional<SessionEvent> next(std::chrono::milliseconds timeout);
  // Whether the last event was the end: Failed, or Finished of the last session.
  bool over() const { return current_ == tickets_.size(); }
  // Cancels all sessions within a step; their events still arrive.
  void cancel();

 private:
  const int choices_;
  std::vector<SessionTicket> tickets_;
  size_t current_ = 0;
  Usage usage_;  // sum over finished sessions
};

}  // namespace polyphon
