#include "app/command.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "app/usage.h"
#include "base/error.h"

namespace polyphon {

void add_commands(CLI::App& app, Run& run, std::string& log_level) {
  app.name("polyphon");
  app.description("Polyphon: a language model that thinks in parallel streams");
  use_help_layout(app);
  app.set_help_flag("-h,--help", "This text");
  app.set_version_flag("--version", version_text(), "Version of the program");
  app.require_subcommand(1);
  app.add_option("--log-level", log_level, "Least severe messages of the log")
      ->check(one_of({"trace", "debug", "info", "warn", "error", "off"}));
  for (const auto add : {add_think_command, add_chat_command, add_serve_command, add_replay_command,
                         add_eval_command, add_selfplay_command, add_data_command,
                         add_train_command, add_heads_command, add_models_command,
                         add_doctor_command, add_bench_command, add_key_command})
    add(app, run);
}

void ModelFlags::add_to(CLI::App& command) {
  command.add_option("--config", config_path, "TOML file of settings (docs/configuration.md)")
      ->default_str("none");
  settings.add(command, "engine.");
  command.get_option("--ctx-size")->each([this](const std::string& text) {
    context_cells = std::stoi(text);
  });
  command.get_option("--version")->excludes(command.get_option("--adapter"));
}

Config ModelFlags::config() const {
  Config config = config_path.empty() ? Config{} : read_config(config_path);
  // A version of the file gives way to an adapter of the command line, and the other way round.
  if (settings.gives("engine.adapter") || settings.gives("engine.version"))
    config.decoder.adapter = config.version = "";
  settings.apply(config);
  return config;
}

std::string version_text() { return "polyphon " POLYPHON_VERSION; }

void prepare_trace_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0)
    throw Error(ErrorCode::kInvalidArgument,
                "cannot write traces to " + path + ": " + std::strerror(errno));
  ::close(file);
}

void print_out(const std::string& text) {
  const bool whole = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (!whole || std::fflush(stdout) != 0)
    throw Error(ErrorCode::kInternal,
                std::string("cannot write to standard output: ") + std::strerror(errno));
}

}  // namespace polyphon
