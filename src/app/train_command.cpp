// polyphon train: starts polyphon-train, shows how it goes, and makes a version of what it leaves.
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>

#include "app/command.h"
#include "app/load.h"
#include "app/model_catalogue.h"
#include "app/trainer_process.h"
#include "base/digest.h"
#include "base/error.h"
#include "core/version.h"

namespace polyphon {
namespace {

struct TrainFlags {
  std::string model, data, output, name, trainer = trainer_beside_us();
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

std::string version_name(const TrainFlags& flags) {
  if (!flags.name.empty()) return flags.name;
  const auto folder = std::filesystem::absolute(flags.output + "/").parent_path();
  return folder.filename().string();
}

int train(const TrainFlags& flags) {
  const std::string model = resolve_model(flags.model);
  std::vector<std::string> arguments = {"lora",     "--model", model,        "--data",
                                        flags.data, "--out",   flags.output, "--json"};
  arguments.insert(arguments.end(), flags.others.begin(), flags.others.end());
  const bool screen = isatty(STDERR_FILENO) != 0;
  Json last = Json::object();
  const int code = run_trainer(flags.trainer, arguments, [&](const std::string& line) {
    const Json step = Json::parse(line, nullptr, false);
    if (!step.is_object()) return;
    last = step;
    if (flags.json)
      print_out(line + "\n");
    else if (screen || last.value("step", 0) % 10 == 0)
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
                               {{"trainer", flags.others}},
                               last});
  if (!flags.json) print_out(fmt::format("version {} in {}\n", version_name(flags), flags.output));
  return 0;
}

}  // namespace

void add_train_command(CLI::App& app, Run& run) {
  auto flags = std::make_shared<TrainFlags>();
  CLI::App& command = *app.add_subcommand(
      "train", "a version out of training data; other options are polyphon-train's");
  command.add_option("--model", flags->model, "name from `polyphon models`, or a GGUF file");
  command.add_option("--data", flags->data, "of `polyphon data build`")->required();
  command.add_option("--output", flags->output, "the version's folder")->required();
  command.add_option("--name", flags->name, "of the version; the folder's if it is not given");
  command.add_option("--trainer", flags->trainer, "polyphon-train, beside this program");
  command.add_flag("--json", flags->json, "the trainer's progress as JSON lines");
  command.allow_extras();
  command.callback([flags, &command, &run] {
    flags->others = command.remaining();
    run = [flags] { return train(*flags); };
  });
}

}  // namespace polyphon
