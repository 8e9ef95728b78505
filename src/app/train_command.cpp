// polyphon train: trains a version of the model, an adapter or heads, and shows how it goes.
#include <fmt/format.h>
#include <unistd.h>

#include <iostream>

#include "app/command.h"
#include "app/stop_signal.h"
#include "deploy/train_version.h"

namespace polyphon {
namespace {

struct TrainFlags {
  TrainingJob job;
  std::string data;                // to train an adapter on
  std::vector<std::string> heads;  // folders of self-play, to train heads on instead
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

int train_heads_of(const TrainFlags& flags) {
  const auto print_line = [](const std::string& line) { print_out(line + "\n"); };
  const Version version =
      train_heads(flags.job, flags.heads, flags.json, print_line, stop_on_signals());
  if (!flags.json) print_out(fmt::format("\nversion {} in {}\n", version.name, flags.job.folder));
  return 0;
}

int train_adapter_of(const TrainFlags& flags) {
  const bool screen = isatty(STDERR_FILENO) != 0;
  const auto on_step = [&](const Json& step) {
    if (flags.json)
      print_out(step.dump() + "\n");
    else if (step.contains("step") && (screen || step.value("step", 0) % 10 == 0))
      show(step, screen);
  };
  const auto version = train_adapter(flags.job, flags.data, on_step, stop_on_signals());
  if (screen && !flags.json) std::cerr << "\r\033[K";
  // A trainer that was stopped says so itself.
  if (version && !flags.json)
    print_out(fmt::format("version {} in {}\n", version->name, flags.job.folder));
  return 0;
}

}  // namespace

void add_train_command(CLI::App& app, Run& run) {
  auto flags = std::make_shared<TrainFlags>();
  CLI::App& command = *app.add_subcommand(
      "train", "Train a version of the model; other options are those of polyphon-train");
  command
      .add_option("--model", flags->job.model, "Model: a name of `polyphon models`, or a GGUF file")
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
  command.add_option("--output", flags->job.folder, "Folder of the version")->required();
  command.add_option("--trainer", flags->job.trainer, "The trainer's program")
      ->default_str("polyphon-train beside this program");
  command.add_flag("--json", flags->json, "Progress as JSON lines");
  command.allow_extras();
  command.callback([flags, &command, &run] {
    if (flags->data.empty() && flags->heads.empty()) throw CLI::RequiredError("--data or --heads");
    flags->job.options = command.remaining();
    run = [flags] {
      return flags->heads.empty() ? train_adapter_of(*flags) : train_heads_of(*flags);
    };
  });
}

}  // namespace polyphon
