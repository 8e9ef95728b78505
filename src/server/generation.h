// The endpoints that run the model. A handler's thread waits on its sessions' channels, never on
// the decoder. If the client goes away, its sessions are cancelled.
#pragma once

#include <httplib.h>

#include <memory>

#include "server/reply.h"
#include "server/server_state.h"
#include "server/session_group.h"

namespace polyphon {

class Generation {
 public:
  explicit Generation(ServerState& state) : state_(state) {}

  void chat(const httplib::Request& request, httplib::Response& response);
  void completions(const httplib::Request& request, httplib::Response& response);
  void responses(const httplib::Request& request, httplib::Response& response);
  void embeddings(const httplib::Request& request, httplib::Response& response);

 private:
  SessionGroup start(const GenerationRequest& generation, const httplib::Request& request);
  SessionEvent next(SessionGroup& sessions);
  Finished run(SessionGroup& sessions, Reply* reply);
  void answer(const httplib::Request& request, httplib::Response& response,
              const GenerationRequest& generation, std::unique_ptr<Reply> reply);

  ServerState& state_;
};

}  // namespace polyphon
