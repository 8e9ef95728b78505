// What a client hears of a session: events in, server-sent events or one JSON body out, in the form
// of the endpoint. One thread.
#pragma once

#include <memory>
#include <string>

#include "server/request_reader.h"
#include "streams/events.h"

namespace polyphon {

class Reply {
 public:
  virtual ~Reply() = default;
  // The first SSE text, before any event: it tells the client that the request was accepted. Once,
  // and only when the reply is streamed; may be empty.
  virtual std::string opening() { return ""; }
  // Takes the next event; SSE text to send now, often empty. What it returns is dropped when the
  // reply is not streamed.
  virtual std::string on_event(const SessionEvent& event) = 0;
  // After Finished: the last SSE text.
  virtual std::string stream_end() = 0;
  // After Finished: the body of a reply that is not streamed.
  virtual Json body() = 0;
};

// One "data: ..." event.
std::string sse(const Json& data);
// "prefix-" and 24 random hex digits.
std::string fresh_id(const std::string& prefix);
Json usage_json(const Usage& usage);
// The answer's polyphon object, of a request that thinks; its trace stands in it if asked for.
Json polyphon_json(const Finished& finished, bool with_trace);

// `version`: of the model, as system_fingerprint.
std::unique_ptr<Reply> make_chat_reply(const GenerationRequest& request,
                                       const std::string& version);
std::unique_ptr<Reply> make_completion_reply(const GenerationRequest& request,
                                             const std::string& version);
std::unique_ptr<Reply> make_responses_reply(const GenerationRequest& request);

}  // namespace polyphon
