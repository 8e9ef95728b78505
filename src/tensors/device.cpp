#include "tensors/device.h"

#include <ATen/DeviceAccelerator.h>
#include <fmt/format.h>
#include <torch/cuda.h>

#include <charconv>
#include <cstdlib>

#include "base/error.h"

namespace polyphon {
namespace {

[[noreturn]] void refuse(const std::string& name, const std::string& why) {
  throw Error(ErrorCode::kInvalidArgument, "device " + name + " " + why, "device");
}

}  // namespace

torch::Device parse_device(const std::string& name, int local_rank) {
  const bool automatic = name == "auto";
  if (name == "cpu" || (automatic && !torch::cuda::is_available())) return torch::kCPU;
  int number = local_rank;
  bool known = automatic || name == "cuda";
  if (name.starts_with("cuda:")) {
    const char *const begin = name.data() + 5, *const end = name.data() + name.size();
    const auto [stop, failed] = std::from_chars(begin, end, number);
    known = failed == std::errc() && stop == end && number >= 0;
  }
  if (!known) refuse(name, "is not known: use auto, cpu, cuda or cuda:N");
  if (!at::hasCUDA())
    refuse(name,
           "is not there: this libtorch is built without CUDA; use cpu, or build with one that has "
           "it (docs/training.md)");
  const int count = torch::cuda::device_count();
  if (number >= count)
    refuse(name, fmt::format("is not there: process {} of this machine asks for GPU {}, and {} can "
                             "be used",
                             local_rank, number, count));
  return {torch::kCUDA, static_cast<torch::DeviceIndex>(number)};
}

std::optional<int64_t> free_device_memory(const torch::Device& device) {
  if (device.is_cpu()) return std::nullopt;
  return static_cast<int64_t>(at::accelerator::getMemoryInfo(device.index()).first);
}

void limit_kept_kernels() { setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128", /*overwrite=*/0); }

}  // namespace polyphon
