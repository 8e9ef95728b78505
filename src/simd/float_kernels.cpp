#include "simd/float_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/float_kernels.cpp"
// foreach_target must come first.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace polyphon::HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX3

namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using Floats = hn::Vec<F32>;
static_assert(hn::MaxLanes(F32()) == kPanelRows);

// One column of the panel's rows.
template <WeightType kType>
HWY_INLINE Floats load_column(const std::byte* panel, size_t column) {
  const size_t first = column * kPanelRows;
  if constexpr (kType == WeightType::kF16)
    return hn::PromoteTo(F32(), hn::Load(hn::Rebind<hwy::float16_t, F32>(),
                                         reinterpret_cast<const hwy::float16_t*>(panel) + first));
  else
    return hn::Load(F32(), reinterpret_cast<const float*>(panel) + first);
}

// Even and odd columns have a sum each: a row alone would wait for every addition.
template <WeightType kType, size_t kRows>
HWY_NOINLINE void multiply_tile(const PackedWeights& weights, const float* in, size_t stride,
                                int begin, int end, const FloatOutput& out) {
  const F32 d;
  const auto columns = static_cast<size_t>(weights.columns);
  const Floats scale = hn::Set(d, out.scale);
  for (auto panel = static_cast<size_t>(begin); panel < static_cast<size_t>(end); ++panel) {
    const std::byte* const from = weights.data + panel * weights.panel_bytes();
    Floats even[kRows], odd[kRows];
    for (size_t r = 0; r < kRows; ++r) even[r] = odd[r] = hn::Zero(d);
    const auto add = [&](Floats* sums, size_t column) {
      const Floats values = load_column<kType>(from, column);
      for (size_t r = 0; r < kRows; ++r)
        sums[r] = hn::MulAdd(values, hn::Set(d, in[r * stride + column]), sums[r]);
    };
    size_t c = 0;
    for (; c + 2 <= columns; c += 2) add(even, c), add(odd, c + 1);
    if (c < columns) add(even, c);
    const size_t left = static_cast<size_t>(weights.rows) - panel * kPanelRows;
    const auto there = hn::FirstN(d, std::min<size_t>(left, kPanelRows));
    for (size_t r = 0; r < kRows; ++r) {
      const size_t at = panel * kPanelRows;
      const Floats base =
          out.base ? hn::MaskedLoad(there, d, out.base + r * out.base_stride + at) : hn::Zero(d);
      hn::BlendedStore(hn::MulAdd(scale, hn::Add(even[r], odd[r]), base), there, d,
                       out.data + r * out.stride + at);
    }
  }
}

template <WeightType kType>
void multiply(const PackedWeights& weights, const float* in, size_t stride, int rows, int begin,
              int end, const FloatOutput& out) {
  switch (rows) {
    case 1:
      return multiply_tile<kType, 1>(weights, in, stride, begin, end, out);
    case 2:
      return multiply_tile<kType, 2>(weights, in, stride, begin, end, out);
    case 3:
      return multiply_tile<kType, 3>(weights, in, stride, begin, end, out);
    case 4:
      return multiply_tile<kType, 4>(weights, in, stride, begin, end, out);
    case 5:
      return multiply_tile<kType, 5>(weights, in, stride, begin, end, out);
    case 6:
      return multiply_tile<kType, 6>(weights, in, stride, begin, end, out);
    case 7:
      return multiply_tile<kType, 7>(weights, in, stride, begin, end, out);
    default:
      return multiply_tile<kType, 8>(weights, in, stride, begin, end, out);
  }
}

void multiply_all(const PackedWeights& weights, const float* in, size_t stride, int rows, int begin,
                  int end, const FloatOutput& out) {
  if (weights.type == WeightType::kF16)
    multiply<WeightType::kF16>(weights, in, stride, rows, begin, end, out);
  else
    multiply<WeightType::kF32>(weights, in, stride, rows, begin, end, out);
}

#else  // no panels

void multiply_all(const PackedWeights&, const float*, size_t, int, int, int, const FloatOutput&) {}

#endif

}  // namespace polyphon::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polyphon {

HWY_EXPORT(multiply_all);

void multiply_float_panels(const PackedWeights& weights, const float* in, size_t stride, int rows,
                           int begin, int end, const FloatOutput& out) {
  HWY_DYNAMIC_DISPATCH(multiply_all)(weights, in, stride, rows, begin, end, out);
}

}  // namespace polyphon
#endif  // HWY_ONCE
