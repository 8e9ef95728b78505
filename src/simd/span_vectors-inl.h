// Vectors as the kernels of span attention use them: loads of every type of the KV cache, 2^x and
// sums of lanes. Included once a target, inside Highway's per-target compilation.

// clang-format off
#if defined(POLYPHON_SIMD_SPAN_VECTORS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef POLYPHON_SIMD_SPAN_VECTORS_INL_H
#undef POLYPHON_SIMD_SPAN_VECTORS_INL_H
#else
#define POLYPHON_SIMD_SPAN_VECTORS_INL_H
#endif
// clang-format on

#include <hwy/highway.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "simd/attention_op.h"

HWY_BEFORE_NAMESPACE();
namespace polyphon::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using Vec = hn::Vec<F32>;

constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr float kLog2E = 1.44269504f;
constexpr size_t kLanes = hn::MaxLanes(F32());
// Accumulators that leave registers for the operands.
constexpr size_t kTileRegisters = HWY_TARGET == HWY_AVX2 ? 8 : 24;

HWY_INLINE Vec load_floats(const float* from) { return hn::LoadU(F32(), from); }
HWY_INLINE Vec load_floats(const hwy::float16_t* from) {
  return hn::PromoteTo(F32(), hn::LoadU(hn::Rebind<hwy::float16_t, F32>(), from));
}
HWY_INLINE Vec load_floats(const hwy::bfloat16_t* from) {
  return hn::PromoteTo(F32(), hn::LoadU(hn::Rebind<hwy::bfloat16_t, F32>(), from));
}

// 2^x for x <= 0; 0 below 2^-126. Relative error 8e-8: the polynomial is the minimax fit of 2^f on
// [-1/2, 1/2].
HWY_INLINE Vec exp2_vector(Vec x) {
  const F32 d;
  const hn::RebindToSigned<F32> di;
  const auto normal = hn::Ge(x, hn::Set(d, -126.0f));
  x = hn::Max(x, hn::Set(d, -126.0f));
  const auto whole = hn::NearestInt(x);
  const Vec f = hn::Sub(x, hn::ConvertTo(d, whole));
  Vec p = hn::Set(d, 0.001327647129073739f);
  p = hn::MulAdd(p, f, hn::Set(d, 0.009675540961325169f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.05550713092088699f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.24022120237350464f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.6931469440460205f));
  p = hn::MulAdd(p, f, hn::Set(d, 1.0f));
  const auto bits = hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(whole));
  return hn::IfThenElseZero(normal, hn::BitCast(d, bits));
}

float exp2_one(float x) { return x == kNever ? 0.0f : std::exp2(x); }

// The sums of the lanes of four vectors, in order.
HWY_INLINE void store_sums(Vec a, Vec b, Vec c, Vec e, float* out) {
#if HWY_TARGET == HWY_SCALAR
  const Vec all[] = {a, b, c, e};
  for (size_t i = 0; i < 4; ++i) out[i] = hn::GetLane(all[i]);
#else
  const F32 d;
  const hn::Repartition<double, F32> d64;
  const auto ab =
      hn::BitCast(d64, hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b)));
  const auto ce =
      hn::BitCast(d64, hn::Add(hn::InterleaveLower(d, c, e), hn::InterleaveUpper(d, c, e)));
  const Vec sums = hn::Add(hn::BitCast(d, hn::InterleaveLower(d64, ab, ce)),
                           hn::BitCast(d, hn::InterleaveUpper(d64, ab, ce)));
  const hn::FixedTag<float, 4> d4;
#if HWY_MAX_BYTES == 64
  const hn::Half<F32> d8;
  const auto half = hn::Add(hn::LowerHalf(d8, sums), hn::UpperHalf(d8, sums));
  hn::StoreU(hn::Add(hn::LowerHalf(d4, half), hn::UpperHalf(d4, half)), d4, out);
#elif HWY_MAX_BYTES == 32
  hn::StoreU(hn::Add(hn::LowerHalf(d4, sums), hn::UpperHalf(d4, sums)), d4, out);
#else
  hn::StoreU(sums, d4, out);
#endif
#endif
}

float float_of(const void* half) {
  const hn::CappedTag<float, 1> d;
  hwy::float16_t value;
  std::memcpy(&value, half, sizeof value);
  return hn::GetLane(
      hn::PromoteTo(d, hn::LoadU(hn::Rebind<hwy::float16_t, decltype(d)>(), &value)));
}

void convert_cell(KvType type, const std::byte* from, size_t size, float* to) {
  const F32 d;
  switch (type) {
    case KvType::kF32:
      std::memcpy(to, from, size * sizeof(float));
      return;
    case KvType::kF16:
      for (size_t i = 0; i < size; i += kLanes)
        hn::StoreU(load_floats(reinterpret_cast<const hwy::float16_t*>(from) + i), d, to + i);
      return;
    case KvType::kBF16:
      for (size_t i = 0; i < size; i += kLanes)
        hn::StoreU(load_floats(reinterpret_cast<const hwy::bfloat16_t*>(from) + i), d, to + i);
      return;
    case KvType::kQ80: {
      // Blocks of a binary16 scale and 32 bytes.
      const hn::Rebind<int8_t, F32> d8;
      const hn::Rebind<int32_t, F32> d32;
      for (size_t i = 0; i < size; i += 32, from += 34) {
        const auto scale = hn::Set(d, float_of(from));
        const auto* const quants = reinterpret_cast<const int8_t*>(from + 2);
        for (size_t j = 0; j < 32; j += kLanes) {
          const auto quant = hn::PromoteTo(d32, hn::LoadU(d8, quants + j));
          hn::StoreU(hn::Mul(hn::ConvertTo(d, quant), scale), d, to + i + j);
        }
      }
      return;
    }
  }
}

}  // namespace polyphon::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
