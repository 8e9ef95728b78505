// polyphon serve: the server until SIGINT or SIGTERM; a second signal ends it at once. SIGHUP reads
// the version again.
#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <thread>

#include "app/command.h"
#include "app/model_offer.h"
#include "base/error.h"
#include "base/logging.h"
#include "deploy/load.h"
#include "deploy/model_catalogue.h"
#include "server/server.h"

namespace polyphon {
namespace {

// Beyond the drain timeout: to cut off what still runs and to free the model.
constexpr int kStopGraceS = 15;

Config effective_config(const ModelFlags& flags) {
  Config config = flags.config();
  resolve_server_files(config);
  return config;
}

// New sessions get the version that the files hold now; when they cannot be read they get what the
// ones before had.
void read_version_again(Reloader& reloader, const Reasoner& reasoner) {
  try {
    reloader.reload();
    std::cerr << fmt::format("version {}\n", reasoner.identity().version);
  } catch (const Error& error) {
    std::cerr << fmt::format("version {} stays: {}\n", reasoner.identity().version, error.what());
  }
}

int serve(const ModelFlags& flags) {
  const Config config = effective_config(flags);
  offer_model(config.model);
  // Before any thread starts, so that all of them leave the signals to the one that waits.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  if (!config.server.trace_path.empty()) prepare_trace_file(config.server.trace_path);
  auto reasoner = load_reasoner(config);
  Reloader reloader(*reasoner, config);
  Server server(*reasoner, config.server,
                {[&] { return reloader.reload(); }, settings_json(&config)});
  server.bind();

  std::jthread stopper([&](const std::stop_token& ended) {
    const timespec patience{0, 200'000'000};
    for (int signal = -1; signal != SIGINT && signal != SIGTERM;) {
      signal = sigtimedwait(&signals, nullptr, &patience);
      if (ended.stop_requested()) return;  // the server could not serve
      if (signal == SIGHUP) read_version_again(reloader, *reasoner);
    }
    std::cerr << "stopping, running requests finish\n";
    // Ends the process at a second signal, and when a forward pass hangs for good.
    std::thread([&signals, seconds = config.server.drain_timeout_s + kStopGraceS] {
      const timespec limit{seconds, 0};
      if (sigtimedwait(&signals, nullptr, &limit) < 0)
        std::cerr << fmt::format("error: still running {} s after the signal, ended by force\n",
                                 seconds);
      std::_Exit(1);
    }).detach();
    server.stop();
  });
  const ModelInfo& info = reasoner->model().info();
  const ComputeInfo compute = compute_info();
  print_out(fmt::format(
      "{}; {} KV cells, {} CPU kernels{}\nlistening on {}://{}:{}\n", model_title(info),
      reasoner->engine()->capacity_cells(), compute.cpu_variant,
      info.supports_views ? "" : "; no streams: " + info.views_reason,
      config.server.tls_certificate.empty() ? "http" : "https", config.server.host, server.port()));
  const StrayOutput stray;
  server.serve();
  return 0;
}

}  // namespace

void add_serve_command(CLI::App& app, Run& run) {
  auto flags = std::make_shared<ModelFlags>();
  CLI::App& command = *app.add_subcommand("serve", "Serve OpenAI's API over HTTP");
  flags->add_to(command);
  flags->settings.add(command, "server.");
  command.callback([flags, &run] { run = [flags] { return serve(*flags); }; });
}

}  // namespace polyphon
