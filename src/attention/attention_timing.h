// One attention operation by our kernels and by ggml's own, on the same tensors and threads, for
// benchmarks to compare. Blocks; any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "simd/attention_op.h"

namespace polyphon {

// Which cells a row sees: all; its own, every rows-th, as streams leave them that thought beside
// each other; or of the first half all and of the second half its own.
enum class AttentionViews { kShared, kPrivate, kMixed };

struct AttentionShape {
  int rows = 1, cells = 1024;
  int heads = 9, kv_heads = 3, head_size = 64;  // SmolLM2's
  KvType type = KvType::kF16;
  AttentionViews views = AttentionViews::kShared;
  int layers = 8;  // operations in a row, each on a cache of its own, that share a mask
};

struct AttentionTiming {
  std::vector<double> ours_s, stock_s;  // of one operation, measured in turn
  uint64_t bytes = 0;                   // of keys and values that some row sees, of one operation
};

// `threads` 0: one a core. register_span_backend() must have been called.
AttentionTiming time_attention(const AttentionShape& shape, int threads, int repeats);

}  // namespace polyphon
