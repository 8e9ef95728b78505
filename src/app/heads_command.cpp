// polyphon heads: writes the untrained heads of a model, or says what a file of heads holds.
#include <fmt/format.h>

#include "app/command.h"
#include "deploy/load.h"
#include "model/tensor_file.h"

namespace polyphon {
namespace {

struct HeadsFlags {
  ModelFlags model;
  std::string path, version = "untrained";
  bool write = false, json = false;
};

int write(const HeadsFlags& flags) {
  write_untrained_heads(flags.model.config(), flags.version, flags.path);
  return 0;
}

int show(const HeadsFlags& flags) {
  const TensorFile file = read_tensor_file(flags.path);
  Json json = {{"strings", file.strings}, {"tensors", Json::object()}};
  std::string text;
  for (const auto& [key, value] : file.strings) text += fmt::format("{}: {}\n", key, value);
  for (const auto& [name, tensor] : file.tensors) {
    json["tensors"][name] = tensor.shape;
    std::string shape;
    for (const int64_t size : tensor.shape)
      shape += fmt::format("{}{}", shape.empty() ? "" : "x", size);
    text += fmt::format("{:<24} {}\n", name, shape);
  }
  print_out(flags.json ? json.dump() + "\n" : text);
  return 0;
}

}  // namespace

void add_heads_command(CLI::App& app, Run& run) {
  auto flags = std::make_shared<HeadsFlags>();
  CLI::App& command = *app.add_subcommand("heads", "Show what a file of trained heads holds");
  flags->model.add_to(command);
  command.add_option("file", flags->path, "GGUF of heads")->required();
  command.add_flag("--write", flags->write, "Write the model's untrained heads to the file");
  command.add_option("--version-name", flags->version, "Version that the written heads name");
  command.add_flag("--json", flags->json, "One JSON object instead of text");
  command.callback(
      [flags, &run] { run = [flags] { return flags->write ? write(*flags) : show(*flags); }; });
}

}  // namespace polyphon
