// A weight matrix in the order in which our kernels read it: panels of 16 rows, one row a
// lane, so that one load brings four columns of every row of the panel and a panel is one stream of
// memory. The values are those of the GGUF tensor, bit for bit; only their order changes. Pure; any
// thread.
//
// A panel is a run of blocks of 32 columns (256 for the K types). A block's quants come first:
//   nibbles  4 vectors of 64 bytes. Byte 4 r + i of vector j holds row r: column 4 j + i in its low
//            half, column 16 + 4 j + i in its high half.
//   bytes    8 vectors of 64 bytes. Byte 4 r + i of vector j: row r, column 4 j + i.
// then what else the type has, each an array over the 16 rows:
//   Q4_0     nibbles; d (binary16)
//   Q4_1     nibbles; d, m (binary16)
//   Q5_0     nibbles; 8 words of 64 bits, bit 4 r + i of word j: the fifth bit of column 4 j + i;
//            d (binary16)
//   Q8_0     bytes, plus 128; d (binary16)
//   Q4_K     8 times nibbles; scales [8][16]; mins [4][16][2], of neighbouring blocks of 32; d,
//            dmin (binary16)
//   Q6_K     8 times (nibbles; 2 vectors of 64 bytes with the upper bits: byte 4 r + i of vector h,
//            from the low end, of columns 8 h + i, 16 + 8 h + i, 8 h + 4 + i, 20 + 8 h + i);
//            scales [16][16]; d (binary16)
// and for the matrices of adapters, which need not have whole blocks of 32 columns, blocks of one
// column:
//   F32, F16 16 values
#pragma once

#include <cstddef>
#include <cstdint>

namespace polyphon {

enum class WeightType { kQ40, kQ41, kQ50, kQ80, kQ4K, kQ6K, kF32, kF16 };

inline constexpr int kPanelRows = 16;
inline constexpr size_t kNibbleBytes = 256;  // of 32 columns of a panel
inline constexpr size_t kHalfBytes = kPanelRows * sizeof(uint16_t);

// Columns of one block of the type: 32 or 256, or 1 of floats. A matrix has whole blocks only.
int block_columns(WeightType type);
inline bool is_float(WeightType type) {
  return type == WeightType::kF32 || type == WeightType::kF16;
}
// Of one block of one panel.
size_t packed_block_bytes(WeightType type);

struct PackedWeights {
  WeightType type = WeightType::kQ40;
  int columns = 0;
  int rows = 0;                     // the last panel is filled up with zeros
  const std::byte* data = nullptr;  // aligned to 64

  int panels() const { return (rows + kPanelRows - 1) / kPanelRows; }
  size_t panel_bytes() const {
    return static_cast<size_t>(columns / block_columns(type)) * packed_block_bytes(type);
  }
  size_t bytes() const { return static_cast<size_t>(panels()) * panel_bytes(); }
};

}  // namespace polyphon
