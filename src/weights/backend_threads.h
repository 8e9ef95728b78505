// How many threads a backend of ggml computes with: an offer of its registry, not of its interface.
#pragma once

#include <ggml-backend.h>

#include "base/check.h"

namespace polyphon {

// CHECKs that the backend has threads, as the CPU's and ours have.
inline void set_backend_threads(ggml_backend_t backend, int threads) {
  const auto set = reinterpret_cast<ggml_backend_set_n_threads_t>(ggml_backend_reg_get_proc_address(
      ggml_backend_dev_backend_reg(ggml_backend_get_device(backend)),
      "ggml_backend_set_n_threads"));
  POLYPHON_CHECK(set != nullptr);
  set(backend, threads);
}

}  // namespace polyphon
