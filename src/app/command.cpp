#include "app/command.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/error.h"

namespace polyphon {

void ModelFlags::add_to(CLI::App& command) {
  command.add_option("--config", config_path, "TOML file (docs/configuration.md)");
  command.add_option("--model", model, "name from `polyphon models`, or a GGUF file");
  command.add_option("--ctx-size", context_cells, "KV cells")->check(CLI::Range(64, 1 << 24));
  command.add_option("--threads", threads, "0: physical cores")->check(CLI::Range(0, 1024));
  command.add_option("--gpu-layers", gpu_layers, "layers to offload; -1: all that fit")
      ->check(CLI::Range(-1, 10000));
  command.add_option("--device", device, "devices to use, comma separated (`polyphon doctor`)");
  command.add_option("--kv-type", kv_type, "f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0");
  command.add_option("--kernels", kernels, "own, or stock: ggml's")
      ->check(CLI::IsMember({"own", "stock"}));
  auto* const adapter_option =
      command.add_option("--adapter", adapter, "GGUF of a LoRA adapter of the model");
  command.add_option("--version", version, "folder of a trained version (docs/learning.md)")
      ->excludes(adapter_option);
  command.add_option("--heads", heads, "GGUF of the model's heads (`polyphon heads`)");
}

Config ModelFlags::config() const {
  Config config = config_path.empty() ? Config{} : read_config(config_path);
  if (!model.empty()) config.model = model;
  if (context_cells > 0) config.decoder.context_cells = context_cells;
  if (threads >= 0) config.decoder.threads = threads;
  if (gpu_layers >= -1) config.model_options.gpu_layers = gpu_layers;
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
