// Rotary self-attention of a packed batch as one differentiable operation. Shares of attention
// exist for a block of queries at a time, in forward and again in backward: memory grows with the
// length of a segment, not with its square.
#pragma once

#include "tensors/base_weights.h"
#include "tensors/row_operations.h"
#include "tensors/token_batch.h"
#include "tensors/torch.h"

namespace polyphon {

RopeTable make_rope_table(const BaseWeights& weights, const std::vector<Position>& positions);

// What is added to the scores of one segment's rows: 0 and -infinity, plus the bias where there is
// one. Undefined for a segment that sees all before it and has no bias. [size, size] of `kind`, of
// the sum type.
torch::Tensor attention_mask(const Segment& segment, const torch::Tensor& bias,
                             const at::TensorOptions& kind);

// qkv: [rows, heads q | kv_heads k | kv_heads v] of the product type, before RoPE. masks: one a
// segment, each may be undefined or need a gradient. Result: [rows, heads * head_size].
torch::Tensor self_attention(const torch::Tensor& qkv, const RopeTable& table,
                             const ModelShape& shape, const std::vector<Segment>& segments,
                             const std::vector<torch::Tensor>& masks, RowRoute route);

}  // namespace polyphon
