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

}  // namespace polyphon
