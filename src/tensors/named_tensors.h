// Tensors to and from the plain form that model/tensor_file.h keeps in GGUF.
#pragma once

#include "model/tensor_file.h"
#include "tensors/torch.h"

namespace polyphon {

NamedTensor to_named(const torch::Tensor& tensor);
// Into a tensor of the same shape. Throws Error{kInvalidArgument}, with `name`, when it is not.
void copy_named(const std::string& name, const NamedTensor& from, const torch::Tensor& to);

}  // namespace polyphon
