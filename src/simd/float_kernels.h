// The arithmetic of products with an adapter's matrices, which are packed as floats. Only where
// weight_kernels_are_fast(), for it wants vectors of a panel's 16 rows. Pure; any thread.
#pragma once

#include <cstddef>

#include "simd/packed_weights.h"

namespace polyphon {

// Where a product goes: data = base + scale * product, [weights.rows, rows]; without a base, data =
// scale * product. The base may be the data. Strides in floats.
struct FloatOutput {
  float* data = nullptr;
  size_t stride = 0;
  const float* base = nullptr;
  size_t base_stride = 0;
  float scale = 1;
};

// Panels [begin, end) of F32 or F16 weights with up to kTileRows rows of input, `stride` floats
// apart.
void multiply_float_panels(const PackedWeights& weights, const float* in, size_t stride, int rows,
                           int begin, int end, const FloatOutput& out);

}  // namespace polyphon
