#include "weights/pack_panels.h"

#define GGML_COMMON_DECL_CPP
#include <ggml-common.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace polyphon {
namespace {

// Quants of 32 columns of one row, each in a byte.
using Quants = std::array<uint8_t, 32>;

void put_nibbles(const Quants& quants, size_t row, std::byte* to) {
  for (size_t j = 0; j < 4; ++j)
    for (size_t i = 0; i < 4; ++i)
      to[64 * j + 4 * row + i] =
          static_cast<std::byte>((quants[4 * j + i] & 15) | (quants[16 + 4 * j + i] & 15) << 4);
}

void put_bytes(const Quants& quants, size_t row, std::byte* to) {
  for (size_t j = 0; j < 8; ++j) std::memcpy(to + 64 * j + 4 * row, &quants[4 * j], 4);
}

void put_fifth_bits(const Quants& quants, size_t row, std::byte* to) {
  for (size_t j = 0; j < 8; ++j) {
    unsigned bits = 0;
    for (size_t i = 0; i < 4; ++i) bits |= static_cast<unsigned>(quants[4 * j + i] >> 4 & 1) << i;
    to[8 * j + row / 2] |= static_cast<std::byte>(bits << (row % 2 * 4));
  }
}

void put_upper_bits(const Quants& quants, size_t row, std::byte* to) {
  for (size_t h = 0; h < 2; ++h)
    for (size_t i = 0; i < 4; ++i) {
      const size_t c = 8 * h + i;
      to[64 * h + 4 * row + i] =
          static_cast<std::byte>(quants[c] >> 4 | quants[16 + c] >> 4 << 2 |
                                 quants[c + 4] >> 4 << 4 | quants[20 + c] >> 4 << 6);
    }
}

void put_half(uint16_t half, size_t row, std::byte* to) {
  std::memcpy(to + row * sizeof half, &half, sizeof half);
}

// ggml's order of 4-bit quants in a block of 32.
Quants nibbles_of(const uint8_t* qs) {
  Quants quants;
  for (size_t i = 0; i < 16; ++i) {
    quants[i] = qs[i] & 15;
    quants[16 + i] = qs[i] >> 4;
  }
  return quants;
}

void put(const block_q4_0& block, size_t row, std::byte* to) {
  put_nibbles(nibbles_of(block.qs), row, to);
  put_half(block.d, row, to + kNibbleBytes);
}

void put(const block_q4_1& block, size_t row, std::byte* to) {
  put_nibbles(nibbles_of(block.qs), row, to);
  put_half(block.data.data.d, row, to + kNibbleBytes);
  put_half(block.data.data.m, row, to + kNibbleBytes + kHalfBytes);
}

void put(const block_q5_0& block, size_t row, std::byte* to) {
  Quants quants = nibbles_of(block.qs);
  uint32_t high;
  std::memcpy(&high, block.qh, sizeof high);
  for (size_t i = 0; i < 32; ++i) quants[i] |= static_cast<uint8_t>((high >> i & 1) << 4);
  put_nibbles(quants, row, to);
  put_fifth_bits(quants, row, to + kNibbleBytes);
  put_half(block.d, row, to + kNibbleBytes + 64);
}

void put(const block_q8_0& block, size_t row, std::byte* to) {
  Quants quants;
  for (size_t i = 0; i < 32; ++i) quants[i] = static_cast<uint8_t>(block.qs[i]) ^ 0x80;
  put_bytes(quants, row, to);
  put_half(block.d, row, to + 2 * kNibbleBytes);
}

// The 6-bit scale and min of block `j` of 32 columns, as ggml packs the eight of a super-block.
void scale_and_min(const uint8_t* packed, size_t j, uint8_t& scale, uint8_t& min) {
  if (j < 4) {
    scale = packed[j] & 63;
    min = packed[j + 4] & 63;
  } else {
    scale = (packed[j + 4] & 15) | packed[j - 4] >> 6 << 4;
    min = packed[j + 4] >> 4 | packed[j] >> 6 << 4;
  }
}

void put(const block_q4_K& block, size_t row, std::byte* to) {
  std::byte* const scales = to + 8 * kNibbleBytes;
  std::byte* const mins = scales + size_t{8} * kPanelRows;
  std::byte* const d = mins + size_t{8} * kPanelRows;
  for (size_t j = 0; j < 8; ++j) {
    Quants quants;
    for (size_t i = 0; i < 32; ++i) quants[i] = block.qs[j / 2 * 32 + i] >> (j % 2 * 4) & 15;
    put_nibbles(quants, row, to + j * kNibbleBytes);
    uint8_t scale, min;
    scale_and_min(block.scales, j, scale, min);
    scales[j * kPanelRows + row] = static_cast<std::byte>(scale);
    mins[j / 2 * 2 * kPanelRows + 2 * row + j % 2] = static_cast<std::byte>(min);
  }
  put_half(block.data.data.d, row, d);
  put_half(block.data.data.dmin, row, d + kHalfBytes);
}

void put(const block_q6_K& block, size_t row, std::byte* to) {
  constexpr size_t kBlockBytes = kNibbleBytes + 128;
  std::byte* const scales = to + 8 * kBlockBytes;
  for (size_t j = 0; j < 8; ++j) {
    // Halves of 128 columns: 64 bytes of low bits, 32 bytes of upper bits.
    const uint8_t* const low = block.ql + j / 4 * 64 + j % 2 * 32;
    const uint8_t* const high = block.qh + j / 4 * 32;
    Quants quants;
    for (size_t i = 0; i < 32; ++i)
      quants[i] = static_cast<uint8_t>((low[i] >> (j % 4 / 2 * 4) & 15) |
                                       (high[i] >> (j % 4 * 2) & 3) << 4);
    put_nibbles(quants, row, to + j * kBlockBytes);
    put_upper_bits(quants, row, to + j * kBlockBytes + kNibbleBytes);
  }
  for (size_t j = 0; j < 16; ++j)
    scales[j * kPanelRows + row] = static_cast<std::byte>(block.scales[j]);
  put_half(block.d, row, scales + size_t{16} * kPanelRows);
}

void put(float value, size_t row, std::byte* to) {
  std::memcpy(to + row * sizeof value, &value, sizeof value);
}
void put(uint16_t half, size_t row, std::byte* to) { put_half(half, row, to); }

template <typename Block>
void pack(const PackedWeights& shape, const void* from, int begin, int end, std::byte* to) {
  const auto blocks = static_cast<size_t>(shape.columns / block_columns(shape.type));
  const size_t block_bytes = packed_block_bytes(shape.type);
  std::fill_n(to + static_cast<size_t>(begin) * shape.panel_bytes(),
              static_cast<size_t>(end - begin) * shape.panel_bytes(), std::byte{0});
  const int last = std::min(shape.rows, end * kPanelRows);
  for (int r = begin * kPanelRows; r < last; ++r) {
    const auto* const row = static_cast<const Block*>(from) + static_cast<size_t>(r) * blocks;
    std::byte* const panel = to + static_cast<size_t>(r / kPanelRows) * shape.panel_bytes();
    for (size_t b = 0; b < blocks; ++b)
      put(row[b], static_cast<size_t>(r % kPanelRows), panel + b * block_bytes);
  }
}

}  // namespace

void pack_panels(const PackedWeights& shape, const void* from, int begin, int end, std::byte* to) {
  switch (shape.type) {
    case WeightType::kQ40:
      return pack<block_q4_0>(shape, from, begin, end, to);
    case WeightType::kQ41:
      return pack<block_q4_1>(shape, from, begin, end, to);
    case WeightType::kQ50:
      return pack<block_q5_0>(shape, from, begin, end, to);
    case WeightType::kQ80:
      return pack<block_q8_0>(shape, from, begin, end, to);
    case WeightType::kQ4K:
      return pack<block_q4_K>(shape, from, begin, end, to);
    case WeightType::kQ6K:
      return pack<block_q6_K>(shape, from, begin, end, to);
    case WeightType::kF32:
      return pack<float>(shape, from, begin, end, to);
    case WeightType::kF16:
      return pack<uint16_t>(shape, from, begin, end, to);
  }
}

}  // namespace polyphon
