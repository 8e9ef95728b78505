// Dispatch only: subcommands are in their own files.
#include <csignal>
#include <cstdio>
#include <exception>

#include "app/command.h"
#include "base/logging.h"
#include "base/process.h"

int main(int argc, char** argv) {
  using namespace polyphon;
  limit_spinning(argv);
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app("Polyphon: a language model that thinks in parallel streams");
  app.set_version_flag("--version", version_text());
  app.require_subcommand(1);
  std::string log_level = "warn";
  app.add_option("--log-level", log_level, "trace, debug, info, warn, error, off");
  Run run;
  for (const auto add :
       {add_think_command, add_serve_command, add_replay_command, add_eval_command,
        add_selfplay_command, add_data_command, add_train_command, add_heads_command,
        add_models_command, add_doctor_command, add_bench_command, add_key_command})
    add(app, run);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    init_logging(log_level);
    return run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "polyphon: %s\n", error.what());
    return 1;
  }
}
