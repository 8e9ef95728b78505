// A request that thinks, written as a client sends it: what server/chat_request reads.
#pragma once

#include "sessions/player.h"
#include "sessions/reasoner.h"

namespace polyphon {

// The body of /v1/chat/completions by which a server runs the session that Reasoner::think() would
// run here, whatever its own defaults are, and answers with its trace. CHECKs that nothing is asked
// for that cannot be written: tools, a grammar, scripts, stops, other sampling for the answer.
Json think_body(const ThinkInput& input, const SessionTerms& terms);

// The body of /v1/completions for it, which knows no priority.
Json completion_body(const Continuation& from);

}  // namespace polyphon
