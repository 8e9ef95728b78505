// What the trained weights of all heads share: copies, decay, and the scale of hidden states.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tensors/head_options.h"
#include "tensors/torch.h"

namespace polyphon {

using NamedParameters = std::vector<std::pair<std::string, torch::Tensor>>;

// Of its own memory, and trained. Undefined stays undefined.
torch::Tensor trained_copy(const torch::Tensor& values);

// Decay towards where a fit started: of the parameters named in `plain` by `decay.features`, of the
// others by `decay.hidden`.
torch::Tensor decay_between(const NamedParameters& now, const NamedParameters& then,
                            std::initializer_list<std::string_view> plain, const HeadDecay& decay);

// [n], true: row of `states` [n, size] that is not all zero, which stands for none.
torch::Tensor state_is_there(const torch::Tensor& states);

// [size]: one over each number's root mean square in the states [n, size] that are there, so that
// decay means the same for all numbers. One that is always zero stays so.
torch::Tensor scale_of(const torch::Tensor& states);

// In row-major order.
template <typename Number>
std::vector<Number> numbers_of(const torch::Tensor& tensor) {
  const torch::Tensor values =
      tensor.detach().to(torch::kCPU, torch::kDouble).contiguous().flatten();
  const auto* const data = values.const_data_ptr<double>();
  std::vector<Number> numbers;
  for (int64_t i = 0; i < values.numel(); ++i) numbers.push_back(static_cast<Number>(data[i]));
  return numbers;
}

}  // namespace polyphon
