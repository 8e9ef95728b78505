// The HTTP server: OpenAI's API, llama-server's introspection, metrics. Handlers run on the HTTP
// library's threads, one request each; they wait on the session's channel, never on the decoder.
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
  // `reasoner` must outlive this. Throws Error{kInvalidArgument} for options that cannot be, such
  // as a host beyond loopback without a key.
  Server(Reasoner& reasoner, const ServerOptions& options, ServerHooks hooks = {});
  ~Server();

  // Throws Error{kUnavailable} when the port is in use.
  void bind();
  // After bind().
  int port() const;
  // Blocks until stop().
  void serve();
  // Any thread; once. New requests get 503, running ones finish (at most drain_timeout_s), then
  // serve() returns.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace polyphon
