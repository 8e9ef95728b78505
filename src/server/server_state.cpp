#include "server/server_state.h"

#include <spdlog/spdlog.h>

#include "core/trace.h"

namespace polyphon {
namespace {

// Threads of the pool that stay free for health, metrics and refusals.
constexpr int kSpareThreads = 16;

ServerOptions completed(ServerOptions options, const Reasoner& reasoner) {
  if (options.served_name.empty()) options.served_name = reasoner.model().info().name;
  return options;
}

}  // namespace

ServerState::ServerState(Reasoner& reasoner_in, const ServerOptions& options_in)
    : reasoner(reasoner_in),
      options(completed(options_in, reasoner_in)),
      keys(options_in.api_key_hashes),
      slots(std::max(1, options_in.threads - kSpareThreads)) {}

SessionTerms ServerState::terms_of(const httplib::Request& request) const {
  SessionTerms terms;
  terms.tenant = keys.tenant_of(request.get_header_value("Authorization")).value_or("");
  terms.deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(options.request_timeout_s);
  return terms;
}

void ServerState::note(const SessionEvent& event) {
  metrics.observe(event);
  const auto* finished = std::get_if<Finished>(&event);
  if (!finished || !finished->trace || options.trace_path.empty()) return;
  try {
    std::lock_guard lock(trace_file_);
    append_trace(options.trace_path, *finished->trace);
  } catch (const std::exception& error) {
    spdlog::error("{}", error.what());
  }
}

}  // namespace polyphon
