// The other factor of a weights' product: rows of floats, quantised to 8 bits block by block as
// ggml quantises them (Q8_0 and Q8_1 beside types with blocks of 32, Q8_K beside those of 256), so
// that our products have the same integers and scales as ggml's and differ in the order of sums
// alone. Rows lie in tiles of up to 8, interleaved as the kernels read them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "simd/aligned_array.h"

namespace polyphon {

inline constexpr int kTileRows = 8;

// One tile; `rows` of 1 to kTileRows.
struct InputTile {
  int rows = 0;
  int8_t* quants = nullptr;  // [columns / 4][rows][4]
  float* scales = nullptr;   // [blocks][rows]
  int32_t* negated_sums =
      nullptr;  // [columns / 32 or 16][rows], of quants, times -1; 16: blocks of 256
  float* scaled_sums = nullptr;  // [blocks][rows], sum of quants times scale; blocks of 32 only
  int16_t* pair_sums = nullptr;  // [columns / 64][rows][2], of quants by 32; blocks of 256 only
};

class QuantizedInput {
 public:
  // Room for `rows` rows of `columns`, a multiple of `block_columns` (32 or 256).
  void shape(int columns, int rows, int block_columns);

  int tiles() const { return (rows_ + kTileRows - 1) / kTileRows; }
  InputTile tile(int index) const;

  // Quantises columns [begin, end), whole blocks, of a tile's rows. `in`: the first of all rows,
  // `stride` floats apart.
  void quantize(int tile, int begin, int end, const float* in, size_t stride);

 private:
  int columns_ = 0, rows_ = 0, block_columns_ = 32;
  AlignedArray<std::byte> data_;
};

}  // namespace polyphon
