#include "simd/quantized_input.h"

#include "simd/quantize_kernels.h"

namespace polyphon {
namespace {

// The fewest columns that have a sum of their own.
constexpr size_t kSumColumns = 16;

size_t whole_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

// Where the arrays of a tile begin, each at a multiple of 64 bytes.
struct TileLayout {
  size_t scales, negated_sums, scaled_sums, pair_sums, end;

  TileLayout(size_t columns, size_t rows, size_t block_columns) {
    const size_t blocks = columns / block_columns * rows;
    scales = whole_lines(columns * rows);
    negated_sums = scales + whole_lines(blocks * sizeof(float));
    scaled_sums = negated_sums + whole_lines(columns / kSumColumns * rows * sizeof(int32_t));
    pair_sums = scaled_sums + whole_lines(blocks * sizeof(float));
    end = pair_sums + whole_lines(columns / 32 * rows * sizeof(int16_t));
  }
};

}  // namespace

void QuantizedInput::shape(int columns, int rows, int block_columns) {
  columns_ = columns;
  rows_ = rows;
  block_columns_ = block_columns;
  const size_t bytes =
      static_cast<size_t>(tiles()) *
      TileLayout(static_cast<size_t>(columns), kTileRows, static_cast<size_t>(block_columns)).end;
  data_.reserve(bytes);
}

InputTile QuantizedInput::tile(int index) const {
  const auto columns = static_cast<size_t>(columns_), block = static_cast<size_t>(block_columns_);
  const int rows = std::min(kTileRows, rows_ - index * kTileRows);
  const TileLayout layout(columns, static_cast<size_t>(rows), block);
  std::byte* const data =
      data_.data() + static_cast<size_t>(index) * TileLayout(columns, kTileRows, block).end;
  return {rows,
          reinterpret_cast<int8_t*>(data),
          reinterpret_cast<float*>(data + layout.scales),
          reinterpret_cast<int32_t*>(data + layout.negated_sums),
          reinterpret_cast<float*>(data + layout.scaled_sums),
          reinterpret_cast<int16_t*>(data + layout.pair_sums)};
}

void QuantizedInput::quantize(int index, int begin, int end, const float* in, size_t stride) {
  const InputTile to = tile(index);
  for (int r = 0; r < to.rows; ++r) {
    const float* const row = in + static_cast<size_t>(index * kTileRows + r) * stride;
    for (int c = begin; c < end; c += block_columns_)
      quantize_block(to, r, c, block_columns_, row + c);
  }
}

}  // namespace polyphon
