// The differentiable parts of a transformer layer, each with its own backward: they keep less for
// it than libtorch's general ones would, and none computes a gradient of a frozen weight. Rows are
// tokens; "sum type" and "product type" are those of base_weights.h.
#pragma once

#include "train/base_weights.h"
#include "train/token_batch.h"
#include "train/torch.h"

namespace polyphon {

// x / rms(x) * weight over the last dimension, computed in the sum type (Zhang, Sennrich 2019,
// arXiv:1910.07467). Result in `type`.
torch::Tensor rms_norm(const torch::Tensor& x, const torch::Tensor& weight, double epsilon,
                       torch::ScalarType type);

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
torch::Tensor swiglu(const torch::Tensor& gate_up);

// Angles of RoPE (Su et al. 2021, arXiv:2104.09864).
struct RopeTable {
  torch::Tensor cosine;  // [rows, 1, rope_size / 2], sum type
  torch::Tensor sine;
};
RopeTable make_rope_table(const BaseWeights& weights, const std::vector<Position>& positions);

// x: [rows, heads, head_size]; the first rope_size numbers of each head are turned.
torch::Tensor rope(const torch::Tensor& x, const RopeTable& table, RopePairs pairs);

// What the rows of one segment see, as scaled_dot_product_attention takes it: 0 and -infinity, plus
// the bias where there is one. Undefined for a segment that sees all before it and has no bias.
torch::Tensor attention_mask(const Segment& segment, const torch::Tensor& bias,
                             torch::ScalarType type);

// q: [rows, heads, head_size], k and v: [rows, kv_heads, head_size]. masks: one a segment.
// Result: [rows, heads * head_size].
torch::Tensor attention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                        const std::vector<Segment>& segments,
                        const std::vector<torch::Tensor>& masks);

// log softmax(hidden W^T) at the target of each row. hidden: [rows, hidden_size] of the product
// type, targets: [rows] int64. Logits exist for a chunk of rows at a time, in forward only: the
// gradient of a row's log-probability by its state is [hidden_size] numbers, which forward keeps.
torch::Tensor target_logprobs(const torch::Tensor& hidden, const torch::Tensor& output,
                              const torch::Tensor& targets);

}  // namespace polyphon
