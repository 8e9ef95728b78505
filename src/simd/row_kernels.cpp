#include "simd/row_kernels.h"

#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/row_kernels.cpp"
// foreach_target must come first.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <hwy/contrib/math/math-inl.h>
#include "simd/row_numbers-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace polyphon::HWY_NAMESPACE {

template <typename T, typename Void>
HWY_INLINE auto row_of(Void* all, size_t size, int64_t row) {
  using Number = std::conditional_t<std::is_const_v<Void>, const T, T>;
  return static_cast<Number*>(all) + static_cast<size_t>(row) * size;
}

template <typename T>
void norm_row(const NormRows& a, int64_t row) {
  using S = SumOf<T>;
  const S* const x = row_of<S>(a.x, a.size, row);
  const T* const delta = a.delta != nullptr ? row_of<T>(a.delta, a.size, row) : nullptr;
  const S* const weight = static_cast<const S*>(a.weight);
  S* const sum = a.sum != nullptr ? row_of<S>(a.sum, a.size, row) : nullptr;
  T* const out = row_of<T>(a.out, a.size, row);
  const S squares = sum_lanes<S>(a.size, [&](auto d, size_t i) HWY_ATTR {
    auto value = load(d, x + i);
    if (delta != nullptr) {
      value = hn::Add(value, load(d, delta + i));
      store(d, value, sum + i);
    }
    return hn::Mul(value, value);
  });
  const S factor = 1 / std::sqrt(squares / static_cast<S>(a.size) + static_cast<S>(a.epsilon));
  static_cast<S*>(a.factor)[row] = factor;
  const S* const from = delta != nullptr ? sum : x;
  for_lanes<S>(a.size, [&](auto d, size_t i) HWY_ATTR {
    const auto normed = hn::Mul(load(d, from + i), hn::Set(d, factor));
    store(d, hn::Mul(normed, load(d, weight + i)), out + i);
  });
}

// With n = sum factor: dx = factor (g w - n mean(g w n)), and what sum's other uses add.
template <typename T>
void norm_gradient_row(const NormGradientRows& a, int64_t row) {
  using S = SumOf<T>;
  const T* const g = row_of<T>(a.out_gradient, a.size, row);
  const S* const sum = row_of<S>(a.sum, a.size, row);
  const S* const weight = static_cast<const S*>(a.weight);
  const S factor = static_cast<const S*>(a.factor)[row];
  const S along = sum_lanes<S>(a.size, [&](auto d, size_t i) HWY_ATTR {
    return hn::Mul(hn::Mul(load(d, g + i), load(d, weight + i)), load(d, sum + i));
  });
  const S share = along * factor * factor / static_cast<S>(a.size);
  const S* const more =
      a.sum_gradient != nullptr ? row_of<S>(a.sum_gradient, a.size, row) : nullptr;
  S* const x_gradient = row_of<S>(a.x_gradient, a.size, row);
  T* const delta_gradient =
      a.delta_gradient != nullptr ? row_of<T>(a.delta_gradient, a.size, row) : nullptr;
  for_lanes<S>(a.size, [&](auto d, size_t i) HWY_ATTR {
    const auto weighted = hn::Mul(load(d, g + i), load(d, weight + i));
    const auto across = hn::NegMulAdd(load(d, sum + i), hn::Set(d, share), weighted);
    auto value = hn::Mul(across, hn::Set(d, factor));
    if (more != nullptr) value = hn::Add(value, load(d, more + i));
    store(d, value, x_gradient + i);
    if (delta_gradient != nullptr) store(d, value, delta_gradient + i);
  });
}

// 1 / (1 + exp(-x)).
template <typename D, typename V>
HWY_INLINE V logistic(D d, V x) {
  constexpr double kFar = 80;  // exp of more than that overflows
  const auto one = hn::Set(d, static_cast<hn::TFromD<D>>(1));
  const auto opposite = hn::Min(hn::Neg(x), hn::Set(d, static_cast<hn::TFromD<D>>(kFar)));
  return hn::Div(one, hn::Add(one, hn::Exp(d, opposite)));
}

template <typename T>
void swiglu_row(const SwigluRows& a, int64_t row) {
  const T* const gate = row_of<T>(a.gate_up, 2 * a.size, row);
  T* const out = row_of<T>(a.out, a.size, row);
  for_lanes<SumOf<T>>(a.size, [&](auto d, size_t i) HWY_ATTR {
    const auto x = load(d, gate + i);
    const auto silu = hn::Mul(x, logistic(d, x));
    store(d, hn::Mul(silu, load(d, gate + a.size + i)), out + i);
  });
}

template <typename T>
void swiglu_gradient_row(const SwigluRows& a, int64_t row) {
  using S = SumOf<T>;
  const T* const gate = row_of<T>(a.gate_up, 2 * a.size, row);
  const T* const g = row_of<T>(a.out_gradient, a.size, row);
  T* const out = row_of<T>(a.out, 2 * a.size, row);
  for_lanes<S>(a.size, [&](auto d, size_t i) HWY_ATTR {
    const auto x = load(d, gate + i);
    const auto share = logistic(d, x);
    const auto silu = hn::Mul(x, share);
    const auto slope = hn::Add(share, hn::NegMulAdd(silu, share, silu));  // s + x s (1 - s)
    const auto gradient = load(d, g + i);
    store(d, hn::Mul(hn::Mul(gradient, load(d, gate + a.size + i)), slope), out + i);
    store(d, hn::Mul(gradient, silu), out + a.size + i);
  });
}

template <typename T>
void target_row(const TargetRows& a, int64_t row) {
  using S = SumOf<T>;
  T* const logits = row_of<T>(a.logits, a.size, row);
  const hn::ScalableTag<S> all;
  auto maxima = hn::Set(all, -std::numeric_limits<S>::infinity());
  S maximum = -std::numeric_limits<S>::infinity();
  for_lanes<S>(a.size, [&](auto d, size_t i) HWY_ATTR {
    if constexpr (std::is_same_v<decltype(d), hn::ScalableTag<S>>)
      maxima = hn::Max(maxima, load(d, logits + i));
    else
      maximum = std::max(maximum, hn::GetLane(load(d, logits + i)));
  });
  maximum = std::max(maximum, hn::GetLane(hn::MaxOfLanes(all, maxima)));
  const auto above = [&](auto d, size_t i) HWY_ATTR {
    return hn::Exp(d, hn::Sub(load(d, logits + i), hn::Set(d, maximum)));
  };
  const S sum = sum_lanes<S>(a.size, above);
  const auto target = static_cast<size_t>(a.targets[row]);
  const hn::CappedTag<S, 1> one;
  const S at_target = hn::GetLane(load(one, logits + target)) - maximum;
  static_cast<S*>(a.logprobs)[row] = at_target - std::log(sum);
  if (!a.gradient) return;
  // d log p_target / d logits = onehot - softmax.
  for_lanes<S>(a.size, [&](auto d, size_t i) HWY_ATTR {
    store(d, hn::Mul(above(d, i), hn::Set(d, -1 / sum)), logits + i);
  });
  store(one, hn::Set(one, 1 - std::exp(at_target) / sum), logits + target);
}

void norm_rows_of(const NormRows& rows, int64_t begin, int64_t end) {
  for_rows(rows.type, begin, end,
           [&](auto type, int64_t row) HWY_ATTR { norm_row<decltype(type)>(rows, row); });
}
void norm_gradient_rows_of(const NormGradientRows& rows, int64_t begin, int64_t end) {
  for_rows(rows.type, begin, end,
           [&](auto type, int64_t row) HWY_ATTR { norm_gradient_row<decltype(type)>(rows, row); });
}
void swiglu_rows_of(const SwigluRows& rows, int64_t begin, int64_t end) {
  for_rows(rows.type, begin, end,
           [&](auto type, int64_t row) HWY_ATTR { swiglu_row<decltype(type)>(rows, row); });
}
void swiglu_gradient_rows_of(const SwigluRows& rows, int64_t begin, int64_t end) {
  for_rows(rows.type, begin, end, [&](auto type, int64_t row) HWY_ATTR {
    swiglu_gradient_row<decltype(type)>(rows, row);
  });
}
void target_rows_of(const TargetRows& rows, int64_t begin, int64_t end) {
  for_rows(rows.type, begin, end,
           [&](auto type, int64_t row) HWY_ATTR { target_row<decltype(type)>(rows, row); });
}

}  // namespace polyphon::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polyphon {

HWY_EXPORT(norm_rows_of);
HWY_EXPORT(norm_gradient_rows_of);
HWY_EXPORT(swiglu_rows_of);
HWY_EXPORT(swiglu_gradient_rows_of);
HWY_EXPORT(target_rows_of);

void norm_rows(const NormRows& rows, int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(norm_rows_of)(rows, begin, end);
}
void norm_gradient_rows(const NormGradientRows& rows, int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(norm_gradient_rows_of)(rows, begin, end);
}
void swiglu_rows(const SwigluRows& rows, int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(swiglu_rows_of)(rows, begin, end);
}
void swiglu_gradient_rows(const SwigluRows& rows, int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(swiglu_gradient_rows_of)(rows, begin, end);
}
void target_rows(const TargetRows& rows, int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(target_rows_of)(rows, begin, end);
}

}  // namespace polyphon
#endif
