#include "tensors/named_tensors.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace polyphon {

NamedTensor to_named(const torch::Tensor& tensor) {
  const torch::Tensor flat = tensor.detach().to(torch::kCPU, torch::kFloat).contiguous();
  const float* const values = flat.data_ptr<float>();
  return {flat.sizes().vec(), {values, values + flat.numel()}};
}

void copy_named(const std::string& name, const NamedTensor& from, const torch::Tensor& to) {
  // GGUF does not keep leading dimensions of 1.
  if (static_cast<int64_t>(from.values.size()) != to.numel() ||
      (from.shape.size() == static_cast<size_t>(to.dim()) && from.shape != to.sizes().vec()))
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("tensor {} is [{}], must be [{}]", name, fmt::join(from.shape, ", "),
                            fmt::join(to.sizes().vec(), ", ")));
  const torch::NoGradGuard guard;
  torch::Tensor target = to.detach();
  target.copy_(torch::tensor(from.values).view(target.sizes()));
}

}  // namespace polyphon
