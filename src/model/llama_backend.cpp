#include "model/llama_backend.h"

#include <dlfcn.h>
#include <ggml-backend.h>
#include <llama.h>
#include <log.h>
#include <spdlog/spdlog.h>

#include <filesystem>
#include <mutex>
#include <utility>

#include "model/language_model.h"

namespace polyphon {
namespace {

constexpr size_t kMostErrorBytes = 4096;

// libllama logs on the thread that called it, so each caller finds its own errors here.
thread_local std::string errors;

void log_callback(ggml_log_level level, const char* text, void*) {
  std::string_view line(text);
  while (line.ends_with('\n')) line.remove_suffix(1);
  if (line.empty()) return;
  if (level == GGML_LOG_LEVEL_ERROR && errors.size() < kMostErrorBytes) {
    if (!errors.empty()) errors += "; ";
    errors += line;
  }
  spdlog::debug("{}", line);
}

// The file that holds `symbol`.
std::filesystem::path library_of(const void* symbol) {
  Dl_info info{};
  if (dladdr(symbol, &info) == 0 || !info.dli_fname) return {};
  return info.dli_fname;
}

}  // namespace

void init_llama_backend() {
  static std::once_flag once;
  std::call_once(once, [] {
    llama_log_set(log_callback, nullptr);
    common_log_set_verbosity_thold(LOG_LEVEL_ERROR);
    const auto folder =
        library_of(reinterpret_cast<const void*>(&ggml_backend_load_all_from_path)).parent_path();
    ggml_backend_load_all_from_path(folder.c_str());
    llama_backend_init();
  });
}

std::string take_llama_errors() { return std::exchange(errors, {}); }

bool has_accelerator() {
  for (size_t i = 0; i < ggml_backend_dev_count(); ++i)
    if (ggml_backend_dev_type(ggml_backend_dev_get(i)) == GGML_BACKEND_DEVICE_TYPE_GPU) return true;
  return false;
}

ComputeInfo compute_info() {
  init_llama_backend();
  ComputeInfo info;
  info.library_version = llama_version();
  for (size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t const device = ggml_backend_dev_get(i);
    ggml_backend_dev_props props{};
    ggml_backend_dev_get_props(device, &props);
    const bool cpu = props.type == GGML_BACKEND_DEVICE_TYPE_CPU;
    info.devices.push_back(
        {props.name, props.description, props.memory_free, props.memory_total, !cpu});
    if (!cpu) continue;
    ggml_backend_reg_t const registry = ggml_backend_dev_backend_reg(device);
    const auto features = reinterpret_cast<ggml_backend_get_features_t>(
        ggml_backend_reg_get_proc_address(registry, "ggml_backend_get_features"));
    if (!features) continue;
    const std::string stem = library_of(reinterpret_cast<const void*>(features)).stem().string();
    info.cpu_variant = stem.substr(stem.rfind('-') + 1);
    for (const ggml_backend_feature* f = features(registry); f->name; ++f)
      if (std::string_view(f->value) == "1") info.cpu_features.emplace_back(f->name);
  }
  return info;
}

}  // namespace polyphon
