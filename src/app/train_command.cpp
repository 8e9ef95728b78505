// polyphon train: starts polyphon-train, shows how it goes, and makes a version of what it leaves:
// an adapter, or heads, for the base or beside the adapter of the version that played.
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>

#include "app/command.h"
#include "app/load.h"
#include "app/model_catalogue.h"
#include "app/trainer_process.h"
#include "base/digest.h"
#include "base/error.h"
#include "core/version.h"
#include "data/rollouts.h"

namespace polyphon {
namespace {

struct TrainFlags {
  std::string model, data, output, name, trainer = trainer_beside_us();
  std::vector<std::string> heads;   // folders of self-play, to train heads instead of an adapter
  std::vector<std::string> others;  // for polyphon-train
  bool json = false;
};

void show(const Json& step, bool screen) {
  const auto number = [&](const char* key) { return step.value(key, 0.0); };
  std::cerr << fmt::format(
      "{}step {:.0f} of {:.0f} · loss {:.4f} · {:.0f} tokens/s · {:.0f} MB · {:.0f} s left{}",
      screen ? "\r" : "", number("step"), number("of"),
      step.value("loss", Json::object()).value("tokens", 0.0), number("tokens_per_second"),
      number("peak_memory_mb"), number("eta_seconds"), screen ? "\033[K" : "\n");
}

Json read_json_lines(const std::string& path) {
  std::ifstream file(path);
  Json lines = Json::array();
  for (std::string line; std::getline(file, line);)
    lines.push_back(Json::parse(line, nullptr, /*allow_exceptions=*/false));
  return lines;
}

std::string version_name(const TrainFlags& flags) {
  if (!flags.name.empty()) return flags.name;
  const auto folder = std::filesystem::absolute(flags.output + "/").parent_path();
  return folder.filename().string();
}

// The folder's version if it is one, else a new one of the base.
Version version_for_heads(const TrainFlags& flags, const std::string& digest) {
  if (std::filesystem::exists(flags.output + "/version.json")) return read_version(flags.output);
  return {version_name(flags), digest, "", Json::object(), Json::object()};
}

int train_heads(const TrainFlags& flags) {
  const std::string model = resolve_model(flags.model);
  Version version = version_for_heads(flags, model_digest(model));
  std::vector<std::string> arguments = {"heads", "--model", model, "--out", flags.output, "--data"};
  arguments.insert(arguments.end(), flags.heads.begin(), flags.heads.end());
  if (!version_adapter(flags.output).empty())
    arguments.insert(arguments.end(), {"--version", flags.output});
  if (flags.json) arguments.push_back("--json");
  arguments.insert(arguments.end(), flags.others.begin(), flags.others.end());
  const int code = run_trainer(flags.trainer, arguments,
                               [](const std::string& line) { print_out(line + "\n"); });
  if (code != 0)
    throw Error(ErrorCode::kInternal, fmt::format("{} ended with {}", flags.trainer, code));
  if (version_heads(flags.output).empty())
    throw Error(ErrorCode::kInternal, "the trainer left no heads.gguf in " + flags.output);
  std::string hashes;
  for (const std::string& folder : flags.heads) hashes += sha256_file(traces_path(folder));
  version.config["heads"] = {{"trainer", flags.others}, {"data_hash", sha256(hashes)}};
  version.metrics["heads"] = read_json_lines(flags.output + "/heads.jsonl");
  write_version(flags.output, version);
  if (!flags.json) print_out(fmt::format("\nversion {} in {}\n", version.name, flags.output));
  return 0;
}

int train(const TrainFlags& flags) {
  const std::string model = resolve_model(flags.model);
  std::vector<std::string> arguments = {"lora",     "--model", model,        "--data",
                                        flags.data, "--out",   flags.output, "--json"};
  arguments.insert(arguments.end(), flags.others.begin(), flags.others.end());
  const bool screen = isatty(STDERR_FILENO) != 0;
  Json last = Json::object(), options = Json::object();
  const int code = run_trainer(flags.trainer, arguments, [&](const std::string& line) {
    const Json step = Json::parse(line, nullptr, false);
    if (!step.is_object()) return;
    if (step.contains("options"))
      options = step["options"];
    else
      last = step;
    if (flags.json)
      print_out(line + "\n");
    else if (last.contains("step") && (screen || last.value("step", 0) % 10 == 0))
      show(step, screen);
  });
  if (screen && !flags.json) std::cerr << "\r\033[K";
  if (code != 0)
    throw Error(ErrorCode::kInternal, fmt::format("{} ended with {}", flags.trainer, code));
  // Stopped by a signal, it has said so: there is a checkpoint, and no version yet.
  if (last.value("step", int64_t{0}) < last.value("of", int64_t{0})) return 0;
  if (version_adapter(flags.output).empty())
    throw Error(ErrorCode::kInternal, "the trainer left no adapter.gguf in " + flags.output);
  write_version(flags.output, {version_name(flags),
                               model_digest(model),
                               sha256_file(flags.data),
                               {{"trainer", flags.others}, {"options", options}},
                               last});
  if (!flags.json) print_out(fmt::format("version {} in {}\n", version_name(flags), flags.output));
  return 0;
}

}  // namespace

void add_train_command(CLI::App& app, Run& run) {
  auto flags = std::make_shared<TrainFlags>();
  CLI::App& command = *app.add_subcommand(
      "train", "Train a version of the model; other options are those of polyphon-train");
  command.add_option("--model", flags->model, "Model: a name of `polyphon models`, or a GGUF file")
      ->default_str("the catalogue's");
  auto* data = command
                   .add_option("--data", flags->data,
                               "File of `polyphon data build`, to train an adapter on")
                   ->default_str("none: --data or --heads is needed");
  command
      .add_option("--heads", flags->heads,
                  "Folders of `polyphon selfplay`, to train the heads of the version in --output "
                  "on, or of the base")
      ->excludes(data)
      ->default_str("none");
  command.add_option("--output", flags->output, "Folder of the version")->required();
  command.add_option("--name", flags->name, "Name of the version")->default_str("the folder's");
  command.add_option("--trainer", flags->trainer, "The trainer's program")
      ->default_str("polyphon-train beside this program");
  command.add_flag("--json", flags->json, "Progress as JSON lines");
  command.allow_extras();
  command.callback([flags, &command, &run] {
    if (flags->data.empty() && flags->heads.empty()) throw CLI::RequiredError("--data or --heads");
    flags->others = command.remaining();
    run = [flags] { return flags->heads.empty() ? train(*flags) : train_heads(*flags); };
  });
}

}  // namespace polyphon
