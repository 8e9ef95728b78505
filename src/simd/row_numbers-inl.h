// Loads and stores of the numbers that rows are kept in, as vectors of what they are summed in.
// Included by kernels inside Highway's per-target compilation, once a target.

// clang-format off
#if defined(POLYPHON_TRAIN_ROW_NUMBERS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef POLYPHON_TRAIN_ROW_NUMBERS_INL_H
#undef POLYPHON_TRAIN_ROW_NUMBERS_INL_H
#else
#define POLYPHON_TRAIN_ROW_NUMBERS_INL_H
#endif
// clang-format on

#include <hwy/highway.h>

#include <type_traits>

#include "simd/row_type.h"

HWY_BEFORE_NAMESPACE();
namespace polyphon::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

struct Bfloat16 {
  uint16_t bits;
};
template <typename T>
using SumOf = std::conditional_t<std::is_same_v<T, Bfloat16>, float, T>;

// kernel(T(), row) for the type of the rows and each of [begin, end).
template <typename Kernel>
void for_rows(RowType type, int64_t begin, int64_t end, Kernel kernel) {
  const auto all = [&](auto number) HWY_ATTR {
    for (int64_t row = begin; row < end; ++row) kernel(number, row);
  };
  if (type == RowType::kBfloat16) return all(Bfloat16());
  if (type == RowType::kFloat) return all(float());
  all(double());
}

template <typename D, typename T>
HWY_INLINE hn::Vec<D> load(D d, const T* from) {
  if constexpr (std::is_same_v<T, Bfloat16>) {
    const hn::Rebind<uint16_t, D> d16;
    const hn::RebindToUnsigned<D> d32;
    const auto bits = hn::LoadU(d16, reinterpret_cast<const uint16_t*>(from));
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(d32, bits)));
  } else {
    return hn::LoadU(d, from);
  }
}

// To the nearest bfloat16, ties to even; not a number stays it.
template <typename D, typename T>
HWY_INLINE void store(D d, hn::Vec<D> value, T* to) {
  if constexpr (std::is_same_v<T, Bfloat16>) {
    const hn::Rebind<uint16_t, D> d16;
    const hn::RebindToUnsigned<D> d32;
    const auto bits = hn::BitCast(d32, value);
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d32, 1u));
    const auto rounded = hn::Add(hn::Add(bits, hn::Set(d32, 0x7FFFu)), odd);
    const auto no_number = hn::MaskFromVec(hn::BitCast(d32, hn::VecFromMask(d, hn::IsNaN(value))));
    const auto kept = hn::IfThenElse(no_number, hn::Set(d32, 0x7FC00000u), rounded);
    hn::StoreU(hn::TruncateTo(d16, hn::ShiftRight<16>(kept)), d16, reinterpret_cast<uint16_t*>(to));
  } else {
    hn::StoreU(value, d, to);
  }
}

// visit(d, i) for all i of [0, size): whole vectors, then one by one.
template <typename S, typename Visit>
HWY_INLINE void for_lanes(size_t size, Visit visit) {
  const hn::ScalableTag<S> d;
  const hn::CappedTag<S, 1> one;
  size_t i = 0;
  for (; i + hn::Lanes(d) <= size; i += hn::Lanes(d)) visit(d, i);
  for (; i < size; ++i) visit(one, i);
}

// The sum of value(d, i) over [0, size).
template <typename S, typename Value>
HWY_INLINE S sum_lanes(size_t size, Value value) {
  const hn::ScalableTag<S> d;
  const hn::CappedTag<S, 1> one;
  const size_t lanes = hn::Lanes(d);
  auto even = hn::Zero(d), odd = hn::Zero(d);  // two: an addition need not wait for the one before
  size_t i = 0;
  for (; i + 2 * lanes <= size; i += 2 * lanes) {
    even = hn::Add(even, value(d, i));
    odd = hn::Add(odd, value(d, i + lanes));
  }
  for (; i + lanes <= size; i += lanes) even = hn::Add(even, value(d, i));
  S sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(even, odd)));
  for (; i < size; ++i) sum += hn::GetLane(value(one, i));
  return sum;
}

}  // namespace polyphon::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
