#include "sessions/player.h"

#include <variant>

namespace polyphon {

Player::Identity ReasonerPlayer::identity() const {
  const Reasoner::Identity identity = reasoner_.identity();
  return {identity.model_digest, identity.version};
}

Trace ReasonerPlayer::play(const ThinkInput& input, const SessionTerms& terms,
                           const std::atomic<bool>&) {
  SessionTicket ticket = reasoner_.think(input, terms);
  return *wait_finished(ticket).trace;
}

std::string ReasonerPlayer::go_on(const Continuation& from, const SessionTerms& terms,
                                  const std::atomic<bool>&) {
  CompletionRequest request;
  request.prompt = reasoner_.model().vocabulary().tokenize(from.text, false, true);
  request.grammar.gbnf = from.grammar;
  request.sampling = from.sampling;
  request.max_tokens = from.max_tokens;
  std::string written;
  SessionTicket ticket = reasoner_.complete(std::move(request), terms);
  wait_finished(ticket, [&](const SessionEvent& event) {
    if (const auto* delta = std::get_if<AnswerDelta>(&event)) written += delta->text;
  });
  return written;
}

}  // namespace polyphon
