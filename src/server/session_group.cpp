#include "server/session_group.h"

namespace polyphon {

std::optional<SessionEvent> SessionGroup::next(std::chrono::milliseconds timeout) {
  if (over()) return std::nullopt;
  auto event = tickets_[current_].next(timeout);
  if (!event) return std::nullopt;
  const int first = static_cast<int>(current_) * choices_;
  if (auto* delta = std::get_if<AnswerDelta>(&*event)) delta->choice += first;
  if (auto* end = std::get_if<ChoiceEnded>(&*event)) end->choice += first;
  if (std::holds_alternative<Failed>(*event)) {
    cancel();
    current_ = tickets_.size();
  }
  if (auto* finished = std::get_if<Finished>(&*event)) {
    usage_.prompt_tokens += finished->usage.prompt_tokens;
    usage_.cached_tokens += finished->usage.cached_tokens;
    usage_.completion_tokens += finished->usage.completion_tokens;
    usage_.reasoning_tokens += finished->usage.reasoning_tokens;
    finished->usage = usage_;
    ++current_;
  }
  return event;
}

void SessionGroup::cancel() {
  for (SessionTicket& ticket : tickets_) ticket.cancel();
}

}  // namespace polyphon
