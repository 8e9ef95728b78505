// ggml's FLASH_ATTN_EXT nodes: which of them we take, and what they ask. Pure; any thread.
#pragma once

#include <ggml.h>

#include "simd/attention_op.h"

namespace polyphon {

// Whether our kernels compute this node, and were measured not slower than ggml's for its shape
// (docs/kernels.md).
bool takes_attention(const ggml_tensor* node);

// Of a node that is taken.
AttentionOp attention_op(const ggml_tensor* node);

}  // namespace polyphon
