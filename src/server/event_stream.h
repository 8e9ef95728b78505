// A session's events as server-sent events on one HTTP response.
#pragma once

#include <httplib.h>

#include <memory>

#include "server/reply.h"
#include "server/server_state.h"
#include "server/session_group.h"

namespace polyphon {

// Sends the reply's opening at once and then what its events give, until the end, or until the
// client goes away: then the sessions are cancelled. `slot` is held as long. The status is 200;
// what fails from now on is told in an event.
void stream_events(httplib::Response& response, ServerState& state, RequestSlots::Slot slot,
                   SessionGroup sessions, std::unique_ptr<Reply> reply);

}  // namespace polyphon
