#include "server/server_state.h"

#include <algorithm>

#include "record/trace.h"
#include "record/trace_file.h"

namespace polyphon {
namespace {

// Threads of the pool that stay free for requests that do not generate, and for refusals.
constexpr int kSpareThreads = 16;
// Time at the server's end to write the traces of sessions that have just finished.
constexpr std::chrono::seconds kToRecord{10};

ServerOptions completed(ServerOptions options, const Reasoner& reasoner) {
  if (options.served_name.empty()) options.served_name = reasoner.model().info().name;
  return options;
}

}  // namespace

ServerState::ServerState(Reasoner& reasoner_in, const ServerOptions& options_in)
    : reasoner(reasoner_in),
      options(completed(options_in, reasoner_in)),
      keys(options_in.api_key_hashes),
      slots(std::max(1, options_in.threads - kSpareThreads)),
      sink_(reasoner.sinks().add([this](const FinishedSession& session) {
        metrics.observe(session.finished);
        if (session.finished.trace && !options.trace_path.empty())
          append_trace(options.trace_path, *session.finished.trace);
      })) {}

ServerState::~ServerState() { reasoner.sinks().remove(sink_, kToRecord); }

SessionTerms ServerState::terms_of(const httplib::Request& request) const {
  SessionTerms terms;
  terms.tenant = keys.tenant_of(request.get_header_value("Authorization")).value_or("");
  terms.deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(options.request_timeout_s);
  return terms;
}

}  // namespace polyphon
