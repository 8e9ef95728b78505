// polyphon serve: the server until SIGINT or SIGTERM; a second signal ends it at once. SIGHUP reads
// the version again.
#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

#include "app/command.h"
#include "app/model_offer.h"
#include "app/usage.h"
#include "base/error.h"
#include "base/logging.h"
#include "deploy/load.h"
#include "deploy/model_catalogue.h"
#include "server/server.h"

namespace polyphon {
namespace {

// Beyond the drain timeout: to cut off what still runs and to free the model.
constexpr int kStopGraceS = 15;

struct ServeFlags {
  ModelFlags model;
  std::vector<std::string> aliases;
  std::string host, data_dir, key_file, trace_path, tls_certificate, tls_key;
  int port = -1;
  bool allow_unauthenticated = false;
};

// One hash a line; blank lines and # comments are skipped.
std::vector<std::string> read_key_hashes(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Error(ErrorCode::kNotFound, "cannot read the key file " + path);
  std::vector<std::string> hashes;
  for (std::string line; std::getline(file, line);) {
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back()))) line.pop_back();
    if (!line.empty() && line[0] != '#') hashes.push_back(line);
  }
  if (hashes.empty()) throw Error(ErrorCode::kInvalidArgument, path + " holds no key hash");
  return hashes;
}

Config effective_config(const ServeFlags& flags) {
  Config config = flags.model.config();
  ServerOptions& server = config.server;
  if (!flags.host.empty()) server.host = flags.host;
  if (flags.port >= 0) server.port = flags.port;
  if (!flags.key_file.empty()) server.api_key_hashes = read_key_hashes(flags.key_file);
  if (!flags.trace_path.empty()) server.trace_path = flags.trace_path;
  if (!flags.tls_certificate.empty()) server.tls_certificate = flags.tls_certificate;
  if (!flags.tls_key.empty()) server.tls_key = flags.tls_key;
  server.allow_unauthenticated = server.allow_unauthenticated || flags.allow_unauthenticated;
  if (!flags.data_dir.empty()) {
    std::error_code ignored;  // the files in it say why
    std::filesystem::create_directories(flags.data_dir, ignored);
    if (server.trace_path.empty()) server.trace_path = flags.data_dir + "/traces.jsonl";
    std::string& memory = config.reason.memory.path;
    if (memory.empty()) memory = flags.data_dir + "/memory.db";
  }
  if (!flags.aliases.empty()) {
    server.served_name = flags.aliases.front();
    server.aliases.assign(flags.aliases.begin() + 1, flags.aliases.end());
  }
  if (server.served_name.empty())
    server.served_name = config.model.empty()
                             ? default_model_name()
                             : std::filesystem::path(config.model).filename().string();
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

int serve(const ServeFlags& flags) {
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
  Server server(*reasoner, config.server, [&] { return reloader.reload(); });
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
  auto flags = std::make_shared<ServeFlags>();
  CLI::App& command = *app.add_subcommand("serve", "Serve OpenAI's API over HTTP");
  flags->model.add_to(command);
  command.add_option("--host", flags->host, "Address to listen on")->default_str("127.0.0.1");
  command.add_option("--port", flags->port, "TCP port; 0: any free one")
      ->check(in_range(0, 65535))
      ->default_str("8080");
  command
      .add_option("--alias", flags->aliases,
                  "Names that clients may send as the model, comma separated")
      ->delimiter(',')
      ->default_str("the model's");
  command
      .add_option("--data-dir", flags->data_dir,
                  "Folder that keeps traces.jsonl and memory.db; without it nothing is kept")
      ->default_str("none");
  command
      .add_option("--api-key-file", flags->key_file,
                  "File of the keys' SHA-256 hashes, one a line (`polyphon key new`)")
      ->default_str("none: no key is asked for");
  command.add_option("--trace-file", flags->trace_path, "JSON-lines file that traces are added to")
      ->default_str("traces.jsonl of --data-dir");
  command.add_option("--tls-cert", flags->tls_certificate, "PEM file of the TLS certificate")
      ->default_str("none: plain HTTP");
  command.add_option("--tls-key", flags->tls_key, "PEM file of the certificate's private key")
      ->default_str("none");
  command.add_flag("--allow-unauthenticated", flags->allow_unauthenticated,
                   "Other machines may connect without a key");
  command.callback([flags, &run] { run = [flags] { return serve(*flags); }; });
}

}  // namespace polyphon
