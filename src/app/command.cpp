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
  command.add_option("--model", model, "Model: a name of `polyphon models`, or a GGUF file")
      ->default_str("the catalogue's");
  command.add_option("--ctx-size", context_cells, "Size of the KV cache in cells, one a token")
      ->check(in_range(64, 1 << 24))
      ->default_str("16384; of think, what the topology needs");
  command.add_option("--threads", threads, "Most CPU threads of decoding; 0: one a physical core")
      ->check(in_range(0, 1024))
      ->default_str("0");
  command.add_option("--gpu-layers", gpu_layers, "Layers on the GPU; -1: all that fit")
      ->check(in_range(-1, 10000))
      ->default_str("-1");
  command.add_option("--device", device, "Devices to use, comma separated (`polyphon doctor`)")
      ->default_str("all that libllama finds");
  command.add_option("--kv-type", kv_type, "Number format of the KV cache")
      ->check(one_of({"f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0"}))
      ->default_str("f16");
  command.add_option("--kernels", kernels, "CPU kernels: Polyphon's own, or ggml's (stock)")
      ->check(one_of({"own", "stock"}))
      ->default_str("own");
  auto* const adapter_option =
      command.add_option("--adapter", adapter, "GGUF of a LoRA adapter of the model")
          ->default_str("none");
  command.add_option("--version", version, "Folder of a trained version (docs/training.md)")
      ->excludes(adapter_option)
      ->default_str("none");
  command.add_option("--heads", heads, "GGUF of the model's trained heads (`polyphon heads`)")
      ->default_str("the version's, else untrained ones");
}

Config ModelFlags::config() const {
  Config config = config_path.empty() ? Config{} : read_config(config_path);
  if (!model.empty()) config.model = model;
  if (context_cells) config.decoder.context_cells = *context_cells;
  if (threads) config.decoder.threads = *threads;
  if (gpu_layers) config.model_options.gpu_layers = *gpu_layers;
  if (!device.empty()) config.model_options.device = device;
  if (!kv_type.empty()) config.decoder.kv_type = kv_type;
  if (!kernels.empty()) config.kernels = kernels;
  if (!heads.empty()) config.heads = heads;
  if (!adapter.empty() || !version.empty()) {
    config.decoder.adapter = adapter;
    config.version = version;
  }
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
