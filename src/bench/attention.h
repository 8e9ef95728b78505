// One attention operation, our kernels and ggml's own in turn.
#pragma once

#include <string>
#include <vector>

#include "bench/figures.h"

namespace polyphon {

struct AttentionBenchOptions {
  int repeats = 9, threads = 0;  // 0: one a core
  int heads = 9, kv_heads = 3, head_size = 64;
  std::string type = "f16";                            // of keys and values: f32, f16, bf16, q8_0
  std::vector<int> prompts = {128, 1024, 2048, 8192};  // cells in the cache
  std::vector<int> rows = {1, 2, 4, 8, 16, 32, 64, 512};
  std::vector<std::string> views = {"shared", "private", "mixed"};  // cells that rows see
};

// Throws Error{kInvalidArgument} for a type, a view or a number of KV heads that cannot be.
void bench_attention(const AttentionBenchOptions& options, const OnFigure& on_figure);

}  // namespace polyphon
