// Products of packed weights with rows of floats. One instance a llama_context: it keeps the
// input that it quantised. Runs on the OpenMP team of the calling thread, which is ggml's.
#pragma once

#include <cstddef>
#include <span>

#include "simd/packed_weights.h"
#include "simd/quantized_input.h"

namespace polyphon {

// out = in * transposed(weights): row r of `out` has a dot product with each row of the weights.
struct WeightProductOp {
  PackedWeights weights;
  float* out = nullptr;   // [weights.rows, rows]
  size_t out_stride = 0;  // floats
  // Of float weights alone: out = base + scale * in * transposed(weights). The base may be `out`.
  const float* base = nullptr;  // as `out`
  size_t base_stride = 0;
  float scale = 1;
};

struct ProductInput {
  const float* data = nullptr;  // [columns, rows]
  size_t stride = 0;            // floats
  int columns = 0, rows = 0;
};

class WeightProduct {
 public:
  void set_threads(int threads) { threads_ = threads; }

  // Products of one input, which is quantised once for all. No output overlaps it. Blocks until all
  // are written. Only where weight_kernels_are_fast().
  void compute(const ProductInput& in, std::span<const WeightProductOp> ops);

 private:
  QuantizedInput& input_of(WeightType type) { return inputs_[block_columns(type) == 256]; }
  void multiply(const ProductInput& in, const WeightProductOp& op, int tile, int begin, int end);

  int threads_ = 1;
  QuantizedInput inputs_[2];  // in blocks of 32 and of 256
};

}  // namespace polyphon
