// ggml's own CPU kernels, for tests to compare ours with.
#pragma once

#include <dlfcn.h>
#include <ggml-backend.h>

#include <filesystem>
#include <memory>

#include "base/check.h"
#include "weights/backend_threads.h"

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
  set_backend_threads(cpu.get(), 1);
  return cpu;
}

}  // namespace polyphon
