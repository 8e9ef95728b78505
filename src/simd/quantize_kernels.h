// The arithmetic of QuantizedInput: floats to 8-bit quants, as ggml rounds them. Only where
// weight_kernels_are_fast(). Pure; any thread.
#pragma once

#include "simd/quantized_input.h"

namespace polyphon {

// The float values of one block of 32 or 256 columns as 8-bit quants and what else the tile holds
// of them; row `row` of the tile.
void quantize_block(const InputTile& tile, int row, int column, int block_columns, const float* in);

}  // namespace polyphon
