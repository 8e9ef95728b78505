// Which device a run's tensors live on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tensors/torch.h"

namespace polyphon {

// "cpu", "cuda:N", "cuda" (the GPU of number `local_rank`, which is this process's place on its
// machine) or "auto": cuda where a GPU is there, else cpu. Throws Error{kInvalidArgument} for other
// names and for a GPU that libtorch does not have.
torch::Device parse_device(const std::string& name, int local_rank);

// Bytes that are free on a GPU; unknown for the CPU, whose are base/process.h's.
std::optional<int64_t> free_device_memory(const torch::Device& device);

// To be called before the first product. oneDNN makes kernels for each size of product, half a
// megabyte each, and keeps 1,024 of them, half of a run's memory; no batch has as many rows as the
// one before it, and a step has about 40 products. The environment's own limit stays.
void limit_kept_kernels();

}  // namespace polyphon
