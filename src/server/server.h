// The HTTP server: OpenAI's API, llama-server's introspection, and metrics. Handlers run on threads
// of a pool, one request each; they wait on a session's channel, never on the decoder.
#pragma once

#include <functional>
#include <memory>

#include "deploy/load.h"
#include "deploy/server_options.h"
#include "deploy/settings.h"
#include "sessions/reasoner.h"

namespace polyphon {

// What the server asks of those who started it.
struct ServerHooks {
  std::function<Reloaded()> reload = {};  // called on several threads; empty: nothing to read again
  Json settings = settings_json();        // GET /api/v1/settings
};

class Server {
 public:
  // `reasoner` must outlive this object. Throws Error{kInvalidArgument} for impossible options,
  // such as a host beyond loopback without an API key.
  Server(Reasoner& reasoner, const ServerOptions& options, ServerHooks hooks = {});
  ~Server();

  // Throws Error{kUnavailable} if the port is in use.
  void bind();
  // Valid after bind().
  int port() const;
  // Blocks until stop().
  void serve();
  // May be called once, by any thread. New requests get 503; running ones have drain_timeout_s to
  // finish; then serve() returns.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace polyphon
