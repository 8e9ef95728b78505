// The sessions of one request, heard as if they were one: the choices of the second prompt come
// after those of the first, and each Finished carries the usage so far. They all run from the
// start; their events come one session after the other. One thread.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "sessions/reasoner.h"

namespace polyphon {

class SessionGroup {
 public:
  // `choices`: of each session.
  explicit SessionGroup(int choices = 1) : choices_(choices) {}
  void add(SessionTicket ticket) { tickets_.push_back(std::move(ticket)); }

  // The next event, or nothing yet. Throws Error{kInternal} when a session ended without a word.
  std::optional<SessionEvent> next(std::chrono::milliseconds timeout);
  // The last event was the end: Failed, or the Finished of the last session.
  bool over() const { return current_ == tickets_.size(); }
  // Ends all of them within a step; their events still come.
  void cancel();

 private:
  const int choices_;
  std::vector<SessionTicket> tickets_;
  size_t current_ = 0;
  Usage usage_;  // of those that finished
};

}  // namespace polyphon
