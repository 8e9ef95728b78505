#include "pipeline/player.h"

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

}  // namespace polyphon
