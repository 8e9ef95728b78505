// What the handlers of one server share. Each part is thread-safe or constant.
#pragma once

#include <httplib.h>

#include <mutex>

#include "reason/reasoner.h"
#include "server/auth.h"
#include "server/metrics.h"
#include "server/options.h"
#include "server/request_reader.h"
#include "server/request_slots.h"

namespace polyphon {

struct ServerState {
  ServerState(Reasoner& reasoner_in, const ServerOptions& options_in);

  RequestContext context() { return {reasoner, options}; }
  // Who asks, and until when.
  SessionTerms terms_of(const httplib::Request& request) const;
  // Counts the event; a finished session's trace goes to the trace file. A disk that fails is
  // logged and fails nothing.
  void note(const SessionEvent& event);

  Reasoner& reasoner;
  const ServerOptions options;
  const ApiKeys keys;
  Metrics metrics;
  RequestSlots slots;

 private:
  std::mutex trace_file_;  // one writer at a time
};

}  // namespace polyphon
