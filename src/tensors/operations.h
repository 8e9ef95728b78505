// The differentiable parts of a transformer layer, each with its own backward: they keep less for
// it than libtorch's general ones would, and none computes a gradient of a frozen weight. Rows are
// tokens; "sum type" and "product type" are those of base_weights.h, `route` is what
// row_operations.h has between products.
#pragma once

#include "tensors/base_weights.h"
#include "tensors/torch.h"

namespace polyphon {

// sum = x + delta and out = sum / rms(sum) * weight over the last dimension (Zhang, Sennrich 2019,
// arXiv:1910.07467). x: [rows, size] of the sum type; delta of `type`, or undefined for none.
struct Normed {
  torch::Tensor sum;  // [rows, size], sum type
  torch::Tensor out;  // [rows, size], `type`
};
Normed add_norm(const torch::Tensor& x, const torch::Tensor& delta, const torch::Tensor& weight,
                double epsilon, torch::ScalarType type, RowRoute route);

// The trained pairs of a group of projections, without those that were not chosen.
struct LoraGroup {
  std::vector<torch::Tensor> trained;  // a, b, a, b, ...
  std::vector<int64_t> begins;         // of each pair's rows in the group's output
};
LoraGroup lora_group(const ModelShape& shape, const Lora& lora, int layer, int group);

// x W^T + bias + scale dropout(x) A^T B^T for the projections of a group together. x: [rows, in] of
// the product type. The dropout mask, one for the group, is a function of `seed`, so that a
// recomputed forward pass draws the same one.
struct LoraTerms {
  double scale = 1;
  double dropout = 0;  // 0 outside training
  uint64_t seed = 0;
};
torch::Tensor lora_linear(const torch::Tensor& x, const FrozenLinear& frozen,
                          const LoraGroup& group, const LoraTerms& terms);

// silu(gate) * up of [rows, gate | up].
torch::Tensor swiglu(const torch::Tensor& gate_up, RowRoute route);

// log softmax(hidden W^T) at the target of each row. hidden: [rows, hidden_size] of the product
// type, targets: [rows] int64. Logits exist for a chunk of rows at a time, in forward only: the
// gradient of a row's log-probability by its state is [hidden_size] numbers, which forward keeps.
torch::Tensor target_logprobs(const torch::Tensor& hidden, const torch::Tensor& output,
                              const torch::Tensor& targets, RowRoute route);

}  // namespace polyphon
