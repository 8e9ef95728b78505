#include "sessions/player.h"

#include <variant>

namespace polyphon {
namespace {

// Whether a running session should be given up.
std::function<bool()> ends_sessions(const Stop& stop) {
  return [stop] { return stop.ends_sessions && stop.asked.load(); };
}

}  // namespace

Player::Identity ReasonerPlayer::identity() const {
  const Reasoner::Identity identity = reasoner_.identity();
  return {identity.model_digest, identity.version};
}

Finished ReasonerPlayer::play(const ThinkInput& input, const SessionTerms& terms,
                              const Stop& stop) {
  SessionTicket ticket = reasoner_.think(input, terms);
  return wait_finished(ticket, {}, ends_sessions(stop));
}

std::string ReasonerPlayer::go_on(const Continuation& from, const SessionTerms& terms,
                                  const Stop& stop) {
  CompletionRequest request;
  request.prompt = reasoner_.model().vocabulary().tokenize(from.text, false, true);
  request.grammar.gbnf = from.grammar;
  request.sampling = from.sampling;
  request.max_tokens = from.max_tokens;
  std::string written;
  SessionTicket ticket = reasoner_.complete(std::move(request), terms);
  wait_finished(
      ticket,
      [&](const SessionEvent& event) {
        if (const auto* delta = std::get_if<AnswerDelta>(&event)) written += delta->text;
      },
      ends_sessions(stop));
  return written;
}

}  // namespace polyphon
