// A session's events as server-sent events on one HTTP response.
#pragma once

#include <httplib.h>

#include <memory>

#include "server/reply.h"
#include "server/server_state.h"
#include "server/session_group.h"

namespace polyphon {

// Sends the reply's opening at once, then the text for each session event until the end. If the
// client goes away, cancels the sessions. Holds `slot` until then. The status is 200; later errors
// are sent as an event.
void stream_events(httplib::Response& response, ServerState& state, RequestSlots::Slot slot,
                   SessionGroup sessions, std::unique_ptr<Reply> reply);

}  // namespace polyphon
