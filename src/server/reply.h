// Turns session events into what the client gets: server-sent events (SSE), or one JSON body, in
// the form of the endpoint. One thread.
#pragma once

#include <memory>
#include <string>

#include "server/request_reader.h"
#include "streams/events.h"

namespace polyphon {

class Reply {
 public:
  virtual ~Reply() = default;
  // The first SSE text, sent before any event to tell the client that the request was accepted.
  // Called once, and only if the reply is streamed. May be empty.
  virtual std::string opening() { return ""; }
  // Takes the next event. Returns the SSE text to send now, often empty; ignored if the reply is
  // not streamed.
  virtual std::string on_event(const SessionEvent& event) = 0;
  // Call after Finished: the last SSE text.
  virtual std::string stream_end() = 0;
  // Call after Finished: the body, if the reply is not streamed.
  virtual Json body() = 0;
};

// One "data: ..." event.
std::string sse(const Json& data);
// The prefix, "-" and 24 random hex digits.
std::string fresh_id(const std::string& prefix);
Json usage_json(const Usage& usage);
// The "polyphon" object of a thinking request's answer; includes the trace if `with_trace`.
Json polyphon_json(const Finished& finished, bool with_trace);

// `version`: version of the model, sent as system_fingerprint.
std::unique_ptr<Reply> make_chat_reply(const GenerationRequest& request,
                                       const std::string& version);
std::unique_ptr<Reply> make_completion_reply(const GenerationRequest& request,
                                             const std::string& version);
std::unique_ptr<Reply> make_responses_reply(const GenerationRequest& request);

}  // namespace polyphon
