#include "engine/waiting_queue.h"

#include "base/check.h"

namespace polyphon {

void WaitingQueue::push(WaitingSession waiting) {
  Class& into = waiting.terms.priority == Priority::kInteractive ? interactive_ : background_;
  std::deque<WaitingSession>& queue = into.tenants[waiting.terms.tenant];
  queue.push_back(std::move(waiting));
  ++size_;
}

std::deque<WaitingSession>* WaitingQueue::Class::turn() {
  auto next = tenants.upper_bound(last_served);
  if (next == tenants.end()) next = tenants.begin();
  return &next->second;
}

WaitingQueue::Class* WaitingQueue::first_class() {
  if (!interactive_.tenants.empty()) return &interactive_;
  return background_.tenants.empty() ? nullptr : &background_;
}

WaitingSession* WaitingQueue::front() {
  Class* const from = first_class();
  return from ? &from->turn()->front() : nullptr;
}

WaitingSession WaitingQueue::pop_front() {
  Class* const from = first_class();
  POLYPHON_CHECK(from != nullptr);
  std::deque<WaitingSession>& queue = *from->turn();
  WaitingSession waiting = std::move(queue.front());
  queue.pop_front();
  --size_;
  from->last_served = waiting.terms.tenant;
  if (queue.empty()) from->tenants.erase(waiting.terms.tenant);
  return waiting;
}

std::vector<WaitingSession> WaitingQueue::remove_if(
    const std::function<bool(const WaitingSession&)>& gone) {
  std::vector<WaitingSession> removed;
  for (Class* from : {&interactive_, &background_}) {
    for (auto tenant = from->tenants.begin(); tenant != from->tenants.end();) {
      std::deque<WaitingSession> kept;
      for (WaitingSession& waiting : tenant->second)
        (gone(waiting) ? removed.emplace_back(std::move(waiting))
                       : kept.emplace_back(std::move(waiting)));
      tenant->second = std::move(kept);
      tenant = tenant->second.empty() ? from->tenants.erase(tenant) : std::next(tenant);
    }
  }
  size_ -= static_cast<int>(removed.size());
  return removed;
}

void WaitingQueue::for_each(const std::function<void(const WaitingSession&)>& see) const {
  for (const Class* from : {&interactive_, &background_})
    for (const auto& [tenant, queue] : from->tenants)
      for (const WaitingSession& waiting : queue) see(waiting);
}

}  // namespace polyphon
