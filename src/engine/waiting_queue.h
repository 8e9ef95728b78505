// Sessions that wait to be admitted. Interactive ones go before background ones; within a priority
// the tenants take turns, each tenant's own sessions in order of arrival. Not thread-safe.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/session.h"

namespace polyphon {

struct WaitingSession {
  std::unique_ptr<Session> session;
  SessionTerms terms;
  int64_t number = 0;
  TimePoint submitted{};
};

class WaitingQueue {
 public:
  void push(WaitingSession waiting);

  // Whose turn it is; null when empty. Stays the same until pop_front(), so that a big session is
  // not passed over for ever by small ones.
  WaitingSession* front();
  WaitingSession pop_front();

  // Takes out what `gone` holds for.
  std::vector<WaitingSession> remove_if(const std::function<bool(const WaitingSession&)>& gone);

  void for_each(const std::function<void(const WaitingSession&)>& see) const;

  int size() const { return size_; }

 private:
  struct Class {
    std::map<std::string, std::deque<WaitingSession>> tenants;  // no empty queues
    std::string last_served;
    std::deque<WaitingSession>* turn();
  };
  Class* first_class();

  Class interactive_;
  Class background_;
  int size_ = 0;
};

}  // namespace polyphon
