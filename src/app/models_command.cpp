// polyphon models: the catalogue, and pulls.
#include <fmt/format.h>

#include "app/command.h"
#include "core/json.h"
#include "deploy/model_catalogue.h"
#include "deploy/model_pull.h"

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

}  // namespace

void add_models_command(CLI::App& app, Run& run) {
  auto json = std::make_shared<bool>(false);
  auto name = std::make_shared<std::string>();
  CLI::App& command = *app.add_subcommand("models", "List the models of the catalogue");
  command.add_flag("--json", *json, "A JSON array instead of text");
  CLI::App& pull_command =
      *command.add_subcommand("pull", "Fetch a model of the catalogue, checked by SHA-256");
  pull_command.add_option("name", *name, "Name as `polyphon models` lists it")->required();
  command.callback([json, name, &run] {
    run = [json, name] { return name->empty() ? list(*json) : pull_model(*name); };
  });
}

}  // namespace polyphon
