// One flash-attention operation as plain pointers and strides: what ggml's FLASH_ATTN_EXT node
// says, without its types. It points into tensors and owns nothing.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace polyphon {

enum class KvType { kF32, kF16, kBF16, kQ80 };

// Keys or values: [size, cells, heads], elements of a head adjacent.
struct KvTensor {
  KvType type = KvType::kF16;
  const std::byte* data = nullptr;
  size_t cell_stride = 0;  // bytes
  size_t head_stride = 0;

  // Of one head of a cell.
  size_t head_bytes(int size) const {
    const auto elements = static_cast<size_t>(size);
    switch (type) {
      case KvType::kF32:
        return elements * 4;
      case KvType::kF16:
      case KvType::kBF16:
        return elements * 2;
      case KvType::kQ80:
        return elements / 32 * 34;
    }
    return 0;
  }
  const std::byte* at(uint32_t cell, int head) const {
    return data + cell * cell_stride + static_cast<size_t>(head) * head_stride;
  }
};

// For every row and head: out = softmax(cap(scale * q . k) + slope * mask, sink) * v.
struct AttentionOp {
  int rows = 0;      // tokens that ask
  int cells = 0;     // of the KV cache, seen or not
  int heads = 0;     // of queries
  int kv_heads = 0;  // divides heads
  int key_size = 0;
  int value_size = 0;

  const std::byte* queries = nullptr;  // float [key_size, rows, heads]
  size_t query_row_stride = 0;         // bytes
  size_t query_head_stride = 0;
  KvTensor keys, values;
  const uint16_t* mask = nullptr;  // binary16 [cells, rows], -inf where unseen; null: all is seen
  size_t mask_row_stride = 0;      // elements
  const float* sinks = nullptr;    // [heads], or null
  float* out = nullptr;            // [value_size, heads, rows], dense

  float scale = 1;
  float max_bias = 0;  // > 0: ALiBi, the mask's values are multiplied by a slope of each head
  float softcap = 0;   // > 0: scores are softcap * tanh(score / softcap)

  int group() const { return heads / kv_heads; }  // query heads that share a KV head
  const float* query(int row, int head) const {
    return reinterpret_cast<const float*>(queries + static_cast<size_t>(row) * query_row_stride +
                                          static_cast<size_t>(head) * query_head_stride);
  }
};

// The factor of the mask's values for a head: geometric over the heads (ALiBi, Press et al. 2022),
// in two series where their number is no power of two.
inline float alibi_slope(const AttentionOp& op, int head) {
  const auto whole = static_cast<int>(std::bit_floor(static_cast<unsigned>(op.heads)));
  return head < whole
             ? std::exp2(-op.max_bias / static_cast<float>(whole) * static_cast<float>(head + 1))
             : std::exp2(-op.max_bias / static_cast<float>(2 * whole) *
                         static_cast<float>(2 * (head - whole) + 1));
}

}  // namespace polyphon
