// The arithmetic of products with packed quantised weights, with the 8-bit dot products of
// AVX-512-VNNI. The machine is asked at run time; others keep ggml's kernels. Pure; any thread.
#pragma once

#include "simd/packed_weights.h"
#include "simd/quantized_input.h"

namespace polyphon {

// Whether this machine has the instructions, and is of a kind on which these kernels were measured
// not slower than ggml's (docs/kernels.md). Nothing below may be called where they are absent.
bool weight_kernels_are_fast();

// out[row of tile * stride + row of weights] for the panels [begin, end) and all rows of the tile.
void multiply_panels(const PackedWeights& weights, const InputTile& tile, int begin, int end,
                     float* out, size_t stride);

}  // namespace polyphon
