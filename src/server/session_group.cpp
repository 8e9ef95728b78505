#include "server/session_group.h"

#include "base/error.h"

namespace polyphon {

std::optional<SessionEvent> SessionGroup::next(std::chrono::milliseconds timeout) {
  if (over()) return std::nullopt;
  EventChannel& events = tickets_[current_].events();
  auto event = events.pop(timeout);
  if (!event) {
    if (events.finished()) throw Error(ErrorCode::kInternal, "the session ended without a word");
    return std::nullopt;
  }
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
