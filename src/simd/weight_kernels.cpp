#include "simd/weight_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/weight_kernels.cpp"
// foreach_target must come first.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include <cstring>

// Highway's own target with VNNI asks for AVX-VNNI too (1.0.3), which Zen 4 has not.
#if HWY_TARGET == HWY_AVX3
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512vnni")
#else
HWY_BEFORE_NAMESPACE();
#endif
namespace polyphon::HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX3

namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using I32 = hn::ScalableTag<int32_t>;
using U8 = hn::ScalableTag<uint8_t>;
using Floats = hn::Vec<F32>;
using Ints = hn::Vec<I32>;
using Bytes = hn::Vec<U8>;
static_assert(hn::MaxLanes(F32()) == kPanelRows);

// Per 32-bit lane, the products of four unsigned bytes with four signed ones, added.
HWY_INLINE Ints dot_quads(Ints sum, Bytes weights, Ints input) {
  return Ints{_mm512_dpbusd_epi32(sum.raw, weights.raw, input.raw)};
}
// Likewise of two pairs of 16 bits.
HWY_INLINE Ints dot_pairs(Ints sum, Ints weights, Ints input) {
  return Ints{_mm512_dpwssd_epi32(sum.raw, weights.raw, input.raw)};
}
// Adds `value` to the bytes whose bit is set.
HWY_INLINE Bytes add_where(uint64_t bits, Bytes to, Bytes value) {
  return Bytes{_mm512_mask_add_epi8(to.raw, bits, to.raw, value.raw)};
}

HWY_INLINE const uint8_t* bytes_of(const std::byte* from) {
  return reinterpret_cast<const uint8_t*>(from);
}
HWY_INLINE Bytes load_bytes(const std::byte* from) { return hn::LoadU(U8(), bytes_of(from)); }
HWY_INLINE Floats load_halves(const std::byte* from) {
  return hn::PromoteTo(F32(), hn::LoadU(hn::Rebind<hwy::float16_t, F32>(),
                                        reinterpret_cast<const hwy::float16_t*>(from)));
}
// Four bytes, in every lane.
HWY_INLINE Ints set_quad(const void* from) {
  int32_t quad;
  std::memcpy(&quad, from, sizeof quad);
  return hn::Set(I32(), quad);
}
HWY_INLINE Bytes low_halves(Bytes bytes) { return hn::And(bytes, hn::Set(U8(), 15)); }
// Bits move within pairs of bytes: what came from the neighbour is still to be masked.
template <int kBits>
HWY_INLINE Bytes move_right(Bytes bytes) {
  const hn::Repartition<uint16_t, U8> d16;
  return hn::BitCast(U8(), hn::ShiftRight<kBits>(hn::BitCast(d16, bytes)));
}
template <int kBits>
HWY_INLINE Bytes move_left(Bytes bytes) {
  const hn::Repartition<uint16_t, U8> d16;
  return hn::BitCast(U8(), hn::ShiftLeft<kBits>(hn::BitCast(d16, bytes)));
}

// One dot product a row of the tile; each lane a row of the panel.
template <size_t kRows>
struct Sums {
  Ints of[kRows];

  HWY_INLINE void clear() {
    for (Ints& sum : of) sum = hn::Zero(I32());
  }
  // Starts at minus `1 << kBits` times the sums of the input's quants: the weights' zero point.
  template <int kBits>
  HWY_INLINE void start(const int32_t* negated_sums) {
    for (size_t r = 0; r < kRows; ++r)
      of[r] = hn::ShiftLeft<kBits>(hn::Set(I32(), negated_sums[r]));
  }
  // Four columns, whose input is the `group`-th after `quants`.
  HWY_INLINE void add(Bytes weights, const int8_t* quants, size_t group) {
    for (size_t r = 0; r < kRows; ++r)
      of[r] = dot_quads(of[r], weights, set_quad(quants + (group * kRows + r) * 4));
  }
  // 32 columns of nibbles.
  HWY_INLINE void add_nibbles(const std::byte* weights, const int8_t* quants) {
    for (size_t j = 0; j < 4; ++j) {
      const Bytes both = load_bytes(weights + 64 * j);
      add(low_halves(both), quants, j);
      add(hn::ShiftRight<4>(both), quants, 4 + j);
    }
  }
};

template <size_t kRows>
struct Result {
  Floats of[kRows];

  HWY_INLINE void clear() {
    for (Floats& sum : of) sum = hn::Zero(F32());
  }
  // of += scale * factors[row] * sums
  HWY_INLINE void add(const Sums<kRows>& sums, Floats scale, const float* factors) {
    for (size_t r = 0; r < kRows; ++r)
      of[r] = hn::MulAdd(hn::ConvertTo(F32(), sums.of[r]),
                         hn::Mul(scale, hn::Set(F32(), factors[r])), of[r]);
  }
  HWY_INLINE void add(const Sums<kRows>& sums, Floats scale) {
    for (size_t r = 0; r < kRows; ++r)
      of[r] = hn::MulAdd(hn::ConvertTo(F32(), sums.of[r]), scale, of[r]);
  }
  HWY_INLINE void add(const Result& other, Floats scale, const float* factors) {
    for (size_t r = 0; r < kRows; ++r)
      of[r] = hn::MulAdd(other.of[r], hn::Mul(scale, hn::Set(F32(), factors[r])), of[r]);
  }
  HWY_INLINE void add(Floats weights, const float* factors) {
    for (size_t r = 0; r < kRows; ++r)
      of[r] = hn::MulAdd(weights, hn::Set(F32(), factors[r]), of[r]);
  }
};

// What one block of a panel adds. `block` counts from the row's beginning.
template <WeightType kType, size_t kRows>
struct Block;

template <size_t kRows>
struct Block<WeightType::kQ40, kRows> {
  HWY_INLINE static void add(const std::byte* weights, const InputTile& in, size_t block,
                             Result<kRows>& result) {
    Sums<kRows> sums;
    sums.template start<3>(in.negated_sums + block * kRows);
    sums.add_nibbles(weights, in.quants + block * 32 * kRows);
    result.add(sums, load_halves(weights + 256), in.scales + block * kRows);
  }
};

template <size_t kRows>
struct Block<WeightType::kQ41, kRows> {
  HWY_INLINE static void add(const std::byte* weights, const InputTile& in, size_t block,
                             Result<kRows>& result) {
    Sums<kRows> sums;
    sums.clear();
    sums.add_nibbles(weights, in.quants + block * 32 * kRows);
    result.add(sums, load_halves(weights + 256), in.scales + block * kRows);
    result.add(load_halves(weights + 288), in.scaled_sums + block * kRows);
  }
};

template <size_t kRows>
struct Block<WeightType::kQ50, kRows> {
  HWY_INLINE static void add(const std::byte* weights, const InputTile& in, size_t block,
                             Result<kRows>& result) {
    Sums<kRows> sums;
    sums.template start<4>(in.negated_sums + block * kRows);
    const int8_t* const quants = in.quants + block * 32 * kRows;
    const Bytes sixteen = hn::Set(U8(), 16);
    uint64_t fifth[8];
    std::memcpy(fifth, weights + 256, sizeof fifth);
    for (size_t j = 0; j < 4; ++j) {
      const Bytes both = load_bytes(weights + 64 * j);
      sums.add(add_where(fifth[j], low_halves(both), sixteen), quants, j);
      sums.add(add_where(fifth[4 + j], hn::ShiftRight<4>(both), sixteen), quants, 4 + j);
    }
    result.add(sums, load_halves(weights + 320), in.scales + block * kRows);
  }
};

template <size_t kRows>
struct Block<WeightType::kQ80, kRows> {
  HWY_INLINE static void add(const std::byte* weights, const InputTile& in, size_t block,
                             Result<kRows>& result) {
    Sums<kRows> sums;
    sums.template start<7>(in.negated_sums + block * kRows);
    for (size_t j = 0; j < 8; ++j)
      sums.add(load_bytes(weights + 64 * j), in.quants + block * 32 * kRows, j);
    result.add(sums, load_halves(weights + 512), in.scales + block * kRows);
  }
};

template <size_t kRows>
struct Block<WeightType::kQ4K, kRows> {
  HWY_INLINE static void add(const std::byte* weights, const InputTile& in, size_t block,
                             Result<kRows>& result) {
    const std::byte* const scales = weights + 2048;
    const std::byte* const mins = scales + 128;
    const hn::Rebind<uint8_t, I32> d8;
    Result<kRows> scaled;
    scaled.clear();
    Sums<kRows> sums;
    for (size_t j = 0; j < 8; ++j) {
      sums.clear();
      sums.add_nibbles(weights + 256 * j, in.quants + (block * 8 + j) * 32 * kRows);
      const Ints scale = hn::PromoteTo(I32(), hn::LoadU(d8, bytes_of(scales + 16 * j)));
      scaled.add(sums, hn::ConvertTo(F32(), scale));
    }
    const float* const factors = in.scales + block * kRows;
    result.add(scaled, load_halves(mins + 128), factors);

    const hn::Repartition<int16_t, I32> d16;
    const hn::Rebind<uint8_t, decltype(d16)> half;
    sums.clear();
    for (size_t j = 0; j < 4; ++j) {
      const auto pairs =
          hn::BitCast(I32(), hn::PromoteTo(d16, hn::LoadU(half, bytes_of(mins + 32 * j))));
      for (size_t r = 0; r < kRows; ++r)
        sums.of[r] = dot_pairs(sums.of[r], pairs,
                               set_quad(in.pair_sums + ((block * 4 + j) * kRows + r) * 2));
    }
    result.add(sums, hn::Neg(load_halves(mins + 160)), factors);
  }
};

template <size_t kRows>
struct Block<WeightType::kQ6K, kRows> {
  HWY_INLINE static void add(const std::byte* weights, const InputTile& in, size_t block,
                             Result<kRows>& result) {
    const std::byte* const scales = weights + 8 * 384;
    const Bytes upper = hn::Set(U8(), 0x30);
    Result<kRows> scaled;
    scaled.clear();
    Sums<kRows> sums;
    for (size_t j = 0; j < 8; ++j) {
      const std::byte* const from = weights + 384 * j;
      const int8_t* const quants = in.quants + (block * 8 + j) * 32 * kRows;
      const Bytes first = load_bytes(from + 256), second = load_bytes(from + 320);
      const auto with = [&](Bytes low, Bytes high) { return hn::Or(low, hn::And(high, upper)); };

      sums.template start<5>(in.negated_sums + (block * 16 + 2 * j) * kRows);
      sums.add(with(low_halves(load_bytes(from)), move_left<4>(first)), quants, 0);
      sums.add(with(low_halves(load_bytes(from + 64)), first), quants, 1);
      sums.add(with(low_halves(load_bytes(from + 128)), move_left<4>(second)), quants, 2);
      sums.add(with(low_halves(load_bytes(from + 192)), second), quants, 3);
      scaled.add(sums, scale_of(scales + 32 * j));

      const auto high = [&](size_t i) { return hn::ShiftRight<4>(load_bytes(from + 64 * i)); };
      sums.template start<5>(in.negated_sums + (block * 16 + 2 * j + 1) * kRows);
      sums.add(with(high(0), move_left<2>(first)), quants, 4);
      sums.add(with(high(1), move_right<2>(first)), quants, 5);
      sums.add(with(high(2), move_left<2>(second)), quants, 6);
      sums.add(with(high(3), move_right<2>(second)), quants, 7);
      scaled.add(sums, scale_of(scales + 32 * j + 16));
    }
    result.add(scaled, load_halves(scales + 256), in.scales + block * kRows);
  }

  HWY_INLINE static Floats scale_of(const std::byte* from) {
    const hn::Rebind<int8_t, I32> d8;
    return hn::ConvertTo(
        F32(), hn::PromoteTo(I32(), hn::LoadU(d8, reinterpret_cast<const int8_t*>(from))));
  }
};

template <WeightType kType, size_t kRows>
HWY_NOINLINE void multiply_tile(const PackedWeights& weights, const InputTile& in, int begin,
                                int end, float* out, size_t stride) {
  const F32 d;
  const size_t block_bytes = packed_block_bytes(kType);
  const auto blocks = static_cast<size_t>(weights.columns / block_columns(kType));
  for (auto panel = static_cast<size_t>(begin); panel < static_cast<size_t>(end); ++panel) {
    const std::byte* const from = weights.data + panel * weights.panel_bytes();
    Result<kRows> result;
    result.clear();
    for (size_t b = 0; b < blocks; ++b)
      Block<kType, kRows>::add(from + b * block_bytes, in, b, result);
    const size_t left = static_cast<size_t>(weights.rows) - panel * kPanelRows;
    for (size_t r = 0; r < kRows; ++r) {
      float* const to = out + r * stride + panel * kPanelRows;
      if (left >= kPanelRows)
        hn::StoreU(result.of[r], d, to);
      else
        hn::BlendedStore(result.of[r], hn::FirstN(d, left), d, to);
    }
  }
}

template <WeightType kType>
void multiply(const PackedWeights& weights, const InputTile& in, int begin, int end, float* out,
              size_t stride) {
  switch (in.rows) {
    case 1:
      return multiply_tile<kType, 1>(weights, in, begin, end, out, stride);
    case 2:
      return multiply_tile<kType, 2>(weights, in, begin, end, out, stride);
    case 3:
      return multiply_tile<kType, 3>(weights, in, begin, end, out, stride);
    case 4:
      return multiply_tile<kType, 4>(weights, in, begin, end, out, stride);
    case 5:
      return multiply_tile<kType, 5>(weights, in, begin, end, out, stride);
    case 6:
      return multiply_tile<kType, 6>(weights, in, begin, end, out, stride);
    case 7:
      return multiply_tile<kType, 7>(weights, in, begin, end, out, stride);
    default:
      return multiply_tile<kType, 8>(weights, in, begin, end, out, stride);
  }
}

void multiply_all(const PackedWeights& weights, const InputTile& in, int begin, int end, float* out,
                  size_t stride) {
  switch (weights.type) {
    case WeightType::kQ40:
      return multiply<WeightType::kQ40>(weights, in, begin, end, out, stride);
    case WeightType::kQ41:
      return multiply<WeightType::kQ41>(weights, in, begin, end, out, stride);
    case WeightType::kQ50:
      return multiply<WeightType::kQ50>(weights, in, begin, end, out, stride);
    case WeightType::kQ80:
      return multiply<WeightType::kQ80>(weights, in, begin, end, out, stride);
    case WeightType::kQ4K:
      return multiply<WeightType::kQ4K>(weights, in, begin, end, out, stride);
    case WeightType::kQ6K:
      return multiply<WeightType::kQ6K>(weights, in, begin, end, out, stride);
    case WeightType::kF32:
    case WeightType::kF16:
      return;  // multiply_float_panels()
  }
}

bool are_fast() {
  return __builtin_cpu_supports("avx512vnni") != 0 && __builtin_cpu_supports("amx-int8") == 0;
}

#else  // no dot products of 8 bits, or never measured

void multiply_all(const PackedWeights&, const InputTile&, int, int, float*, size_t) {}
bool are_fast() { return false; }

#endif

}  // namespace polyphon::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polyphon {

HWY_EXPORT(multiply_all);
HWY_EXPORT(are_fast);

bool weight_kernels_are_fast() { return HWY_DYNAMIC_DISPATCH(are_fast)(); }

void multiply_panels(const PackedWeights& weights, const InputTile& tile, int begin, int end,
                     float* out, size_t stride) {
  HWY_DYNAMIC_DISPATCH(multiply_all)(weights, tile, begin, end, out, stride);
}

}  // namespace polyphon
#endif  // HWY_ONCE
