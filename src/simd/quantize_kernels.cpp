#include "simd/quantize_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/quantize_kernels.cpp"
// foreach_target must come first.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include <cstring>

#include "simd/packed_weights.h"

HWY_BEFORE_NAMESPACE();
namespace polyphon::HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX3

namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using I32 = hn::ScalableTag<int32_t>;
using Floats = hn::Vec<F32>;
using Ints = hn::Vec<I32>;
constexpr size_t kLanes = kPanelRows;

// 16 quants to their places in the tile; returns their sum.
HWY_INLINE int32_t store_quants(const InputTile& tile, size_t row, size_t column, Ints quants) {
  const auto rows = static_cast<size_t>(tile.rows);
  HWY_ALIGN int8_t bytes[kLanes];
  hn::Store(hn::DemoteTo(hn::Rebind<int8_t, I32>(), quants), hn::Rebind<int8_t, I32>(), bytes);
  for (size_t i = 0; i < kLanes; i += 4)
    std::memcpy(tile.quants + ((column + i) / 4 * rows + row) * 4, bytes + i, 4);
  return hn::GetLane(hn::SumOfLanes(I32(), quants));
}

float round_to_half(float x) {
  return _cvtsh_ss(_cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

// As ggml's Q8_0 and Q8_1.
void quantize_32(const InputTile& tile, size_t row, size_t column, const float* in) {
  const F32 d;
  const size_t at = column / 32 * static_cast<size_t>(tile.rows) + row;
  const Floats first = hn::LoadU(d, in), second = hn::LoadU(d, in + kLanes);
  const float most = hn::GetLane(hn::MaxOfLanes(d, hn::Max(hn::Abs(first), hn::Abs(second))));
  const float scale = most / 127;
  const Floats inverse = hn::Set(d, most != 0 ? 127 / most : 0.0f);
  const int32_t sum =
      store_quants(tile, row, column, hn::NearestInt(hn::Mul(first, inverse))) +
      store_quants(tile, row, column + kLanes, hn::NearestInt(hn::Mul(second, inverse)));
  tile.scales[at] = round_to_half(scale);
  tile.negated_sums[at] = -sum;
  tile.scaled_sums[at] = round_to_half(scale * static_cast<float>(sum));
}

// The first value of the largest magnitude, with its sign.
float most_extreme(const float* in, size_t size) {
  const F32 d;
  Floats most = hn::Zero(d);
  for (size_t i = 0; i < size; i += kLanes) most = hn::Max(most, hn::Abs(hn::LoadU(d, in + i)));
  most = hn::MaxOfLanes(d, most);
  for (size_t i = 0; i < size; i += kLanes) {
    const auto found = hn::FindFirstTrue(d, hn::Eq(hn::Abs(hn::LoadU(d, in + i)), most));
    if (found >= 0) return in[i + static_cast<size_t>(found)];
  }
  return 0;
}

// As ggml's Q8_K.
void quantize_256(const InputTile& tile, size_t row, size_t column, const float* in) {
  const F32 d;
  const auto rows = static_cast<size_t>(tile.rows);
  const float extreme = most_extreme(in, 256);
  const float inverse = extreme != 0 ? -127 / extreme : 0.0f;
  tile.scales[column / 256 * rows + row] = extreme != 0 ? 1 / inverse : 0.0f;
  for (size_t c = 0; c < 256; c += 2 * kLanes) {
    int32_t sums[2];
    for (size_t half = 0; half < 2; ++half) {
      const size_t at = c + half * kLanes;
      const Ints quants = hn::NearestInt(hn::Mul(hn::LoadU(d, in + at), hn::Set(d, inverse)));
      sums[half] = store_quants(tile, row, column + at, hn::Min(quants, hn::Set(I32(), 127)));
      tile.negated_sums[(column + at) / kLanes * rows + row] = -sums[half];
    }
    const size_t block = (column + c) / 32;
    tile.pair_sums[(block / 2 * rows + row) * 2 + block % 2] =
        static_cast<int16_t>(sums[0] + sums[1]);
  }
}

void quantize_one(const InputTile& tile, int row, int column, int block_columns, const float* in) {
  const auto r = static_cast<size_t>(row), c = static_cast<size_t>(column);
  block_columns == 32 ? quantize_32(tile, r, c, in) : quantize_256(tile, r, c, in);
}

#else  // weight_kernels_are_fast() nowhere

void quantize_one(const InputTile&, int, int, int, const float*) {}

#endif

}  // namespace polyphon::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polyphon {

HWY_EXPORT(quantize_one);

void quantize_block(const InputTile& tile, int row, int column, int block_columns,
                    const float* in) {
  HWY_DYNAMIC_DISPATCH(quantize_one)(tile, row, column, block_columns, in);
}

}  // namespace polyphon
#endif  // HWY_ONCE
