// Writes a request for another server as a client would send it; server/chat_request.h reads it.
#pragma once

#include "sessions/player.h"
#include "sessions/reasoner.h"

namespace polyphon {

// The body of /v1/chat/completions that makes a server run the session that Reasoner::think() would
// run here, whatever the server's defaults, and return its trace. CHECKs that the input uses
// nothing that a body cannot express: tools, a grammar, scripts, stops, other sampling for the
// answer.
Json think_body(const ThinkInput& input, const SessionTerms& terms);

// The body of /v1/completions for a continuation. It has no priority.
Json completion_body(const Continuation& from);

}  // namespace polyphon
