// Dispatch only: subcommands are in their own files.
#include <csignal>
#include <cstdio>
#include <exception>

#include "app/command.h"
#include "app/usage.h"
#include "base/logging.h"
#include "base/process.h"

int main(int argc, char** argv) {
  using namespace polyphon;
  limit_spinning(argv);
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app;
  Run run;
  std::string log_level = "warn";
  add_commands(app, run, log_level);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    return app.exit(help_or_version);
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "%s%s\n", help_without_subcommand(app).c_str(),
                 usage_error(app, error).c_str());
    return 2;
  }
  try {
    init_logging(log_level);
    return run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
