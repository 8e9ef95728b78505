// State that all handlers of a server share. Each part is thread-safe or constant.
#pragma once

#include <httplib.h>

#include "deploy/server_options.h"
#include "server/auth.h"
#include "server/metrics.h"
#include "server/request_reader.h"
#include "server/request_slots.h"
#include "sessions/reasoner.h"

namespace polyphon {

struct ServerState {
  ServerState(Reasoner& reasoner_in, const ServerOptions& options_in);
  ~ServerState();

  RequestContext context() { return {reasoner, options}; }
  // The tenant of the request, and its deadline.
  SessionTerms terms_of(const httplib::Request& request) const;
  Reasoner& reasoner;
  const ServerOptions options;
  const ApiKeys keys;
  Metrics metrics;
  RequestSlots slots;

 private:
  // The sink that counts every session and writes traces to the trace file.
  const int sink_;
};

}  // namespace polyphon
