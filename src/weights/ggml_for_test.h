// ggml's own CPU kernels, for tests to compare ours with.
#pragma once

#include <dlfcn.h>
#include <ggml-backend.h>

#include <filesystem>
#include <memory>

#include "base/check.h"

namespace polyphon {

// ggml's modules lie beside its library.
inline void load_ggml_modules() {
  Dl_info info{};
  POLYPHON_CHECK(dladdr(reinterpret_cast<const void*>(&ggml_backend_load_all_from_path), &info));
  ggml_backend_load_all_from_path(std::filesystem::path(info.dli_fname).parent_path().c_str());
}

using GgmlBackend = std::unique_ptr<ggml_backend, decltype(&ggml_backend_free)>;

// Of one thread: ThreadSanitizer knows nothing of libgomp's barriers and sees races where they
// stand.
inline GgmlBackend cpu_backend_for_test() {
  GgmlBackend cpu(ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr),
                  ggml_backend_free);
  const auto set_threads =
      reinterpret_cast<ggml_backend_set_n_threads_t>(ggml_backend_reg_get_proc_address(
          ggml_backend_dev_backend_reg(ggml_backend_get_device(cpu.get())),
          "ggml_backend_set_n_threads"));
  POLYPHON_CHECK(set_threads);
  set_threads(cpu.get(), 1);
  return cpu;
}

}  // namespace polyphon
