#include "simd/attention_rows.h"

#include <algorithm>
#include <cstring>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/attention_rows.cpp"
// foreach_target must come first.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <hwy/contrib/math/math-inl.h>
#include "simd/row_numbers-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace polyphon::HWY_NAMESPACE {

// One head; `direction` -1 turns back, which is the gradient: a turn is orthogonal.
template <typename T>
void turn_head(const TurnRows& a, int64_t row, SumOf<T> direction, const T* from, T* to) {
  using S = SumOf<T>;
  const size_t size = a.rope_size, half = size / 2;
  const S* const cosine = static_cast<const S*>(a.cosine) + static_cast<size_t>(row) * size;
  const S* const sine = static_cast<const S*>(a.sine) + static_cast<size_t>(row) * size;
  const auto turned = [&](auto d, size_t i, auto partner) HWY_ATTR {
    const auto across = hn::Mul(hn::Mul(load(d, sine + i), hn::Set(d, direction)), partner);
    store(d, hn::MulAdd(load(d, from + i), load(d, cosine + i), across), to + i);
  };
  if (a.neighbours) {
    const hn::ScalableTag<S> d;
    const hn::CappedTag<S, 2> pair;
    size_t i = 0;
    if (hn::Lanes(d) > 1)
      for (; i + hn::Lanes(d) <= size; i += hn::Lanes(d))
        turned(d, i, hn::Reverse2(d, load(d, from + i)));
    for (; i < size; i += 2) turned(pair, i, hn::Reverse2(pair, load(pair, from + i)));
  } else {
    for_lanes<S>(half, [&](auto d, size_t i) HWY_ATTR {
      turned(d, i, load(d, from + half + i));
      turned(d, half + i, load(d, from + i));
    });
  }
  std::memcpy(to + size, from + size, (a.head_size - size) * sizeof(T));
}

// visit(part of a row together, part of q, k or v, whether it is turned), one a head of the row.
template <typename T, typename Visit>
HWY_INLINE void for_heads(const TurnRows& a, int64_t row, Visit visit) {
  const int64_t group = a.heads / a.kv_heads;
  const auto size = static_cast<int64_t>(a.head_size);
  T* together = static_cast<T*>(a.together) + row * (a.heads + 2 * a.kv_heads) * size;
  for (int64_t head = 0; head < a.heads; ++head, together += size)
    visit(together,
          static_cast<T*>(a.q) + ((head / group * a.rows + row) * group + head % group) * size,
          true);
  for (T* const part : {static_cast<T*>(a.k), static_cast<T*>(a.v)})
    for (int64_t head = 0; head < a.kv_heads; ++head, together += size)
      visit(together, part + (head * a.rows + row) * size, part == a.k);
}

template <typename T>
void turn_row(const TurnRows& a, int64_t row) {
  for_heads<T>(a, row, [&](const T* together, T* part, bool turns) HWY_ATTR {
    if (turns)
      turn_head(a, row, SumOf<T>{1}, together, part);
    else
      std::memcpy(part, together, a.head_size * sizeof(T));
  });
}

template <typename T>
void turn_back_row(const TurnRows& a, int64_t row) {
  for_heads<T>(a, row, [&](T* together, const T* part, bool turns) HWY_ATTR {
    if (turns)
      turn_head(a, row, SumOf<T>{-1}, part, together);
    else
      std::memcpy(together, part, a.head_size * sizeof(T));
  });
}

template <typename T>
void softmax_row(const SoftmaxRows& a, int64_t row) {
  using S = SumOf<T>;
  const hn::ScalableTag<S> d;
  const size_t lanes = hn::Lanes(d);
  const auto query = static_cast<size_t>(a.first + row / a.group % a.queries);
  const size_t seen = query + 1, end = (seen + lanes - 1) / lanes * lanes;
  S* const scores = static_cast<S*>(a.scores) + static_cast<size_t>(row) * a.keys;
  T* const shares = static_cast<T*>(a.shares) + static_cast<size_t>(row) * a.keys;
  const S* const mask =
      a.mask != nullptr ? static_cast<const S*>(a.mask) + query * a.mask_stride : nullptr;
  const auto never = hn::Set(d, -std::numeric_limits<S>::infinity());
  const auto scale = hn::Set(d, static_cast<S>(a.scale));
  auto maxima = never;
  for (size_t i = 0; i < end; i += lanes) {
    auto score = hn::Mul(hn::LoadU(d, scores + i), scale);
    if (mask != nullptr) score = hn::Add(score, hn::LoadU(d, mask + i));
    if (i + lanes > seen) score = hn::IfThenElse(hn::FirstN(d, seen - i), score, never);
    hn::StoreU(score, d, scores + i);
    maxima = hn::Max(maxima, score);
  }
  const auto maximum = hn::MaxOfLanes(d, maxima);
  auto sums = hn::Zero(d);
  for (size_t i = 0; i < end; i += lanes) {
    const auto value = hn::Exp(d, hn::Sub(hn::LoadU(d, scores + i), maximum));
    hn::StoreU(value, d, scores + i);
    sums = hn::Add(sums, value);
  }
  const auto factor = hn::Div(hn::Set(d, S{1}), hn::SumOfLanes(d, sums));
  for (size_t i = 0; i < end; i += lanes)
    store(d, hn::Mul(hn::LoadU(d, scores + i), factor), shares + i);
  std::memset(shares + end, 0, (a.keys - end) * sizeof(T));
}

// dscore = share (dshare - sum of share dshare).
template <typename T>
void softmax_gradient_row(const SoftmaxGradientRows& a, int64_t row) {
  using S = SumOf<T>;
  const T* const shares = static_cast<const T*>(a.shares) + static_cast<size_t>(row) * a.keys;
  T* const gradient = static_cast<T*>(a.gradient) + static_cast<size_t>(row) * a.keys;
  const S mean = sum_lanes<S>(a.keys, [&](auto d, size_t i) HWY_ATTR {
    return hn::Mul(load(d, shares + i), load(d, gradient + i));
  });
  for_lanes<S>(a.keys, [&](auto d, size_t i) HWY_ATTR {
    const auto scaled = hn::Mul(load(d, shares + i), hn::Set(d, static_cast<S>(a.scale)));
    store(d, hn::Mul(scaled, hn::Sub(load(d, gradient + i), hn::Set(d, mean))), gradient + i);
  });
}

void turn_rows_of(const TurnRows& rows, int64_t begin, int64_t end) {
  for_rows(rows.type, begin, end,
           [&](auto type, int64_t row) HWY_ATTR { turn_row<decltype(type)>(rows, row); });
}
void turn_back_rows_of(const TurnRows& rows, int64_t begin, int64_t end) {
  for_rows(rows.type, begin, end,
           [&](auto type, int64_t row) HWY_ATTR { turn_back_row<decltype(type)>(rows, row); });
}
void softmax_rows_of(const SoftmaxRows& rows, int64_t begin, int64_t end) {
  for_rows(rows.type, begin, end,
           [&](auto type, int64_t row) HWY_ATTR { softmax_row<decltype(type)>(rows, row); });
}
void softmax_gradient_rows_of(const SoftmaxGradientRows& rows, int64_t begin, int64_t end) {
  for_rows(rows.type, begin, end, [&](auto type, int64_t row) HWY_ATTR {
    softmax_gradient_row<decltype(type)>(rows, row);
  });
}

}  // namespace polyphon::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polyphon {

HWY_EXPORT(turn_rows_of);
HWY_EXPORT(turn_back_rows_of);
HWY_EXPORT(softmax_rows_of);
HWY_EXPORT(softmax_gradient_rows_of);

void turn_rows(const TurnRows& rows, int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(turn_rows_of)(rows, begin, end);
}
void turn_back_rows(const TurnRows& rows, int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(turn_back_rows_of)(rows, begin, end);
}
void softmax_rows(const SoftmaxRows& rows, int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(softmax_rows_of)(rows, begin, end);
}
void softmax_gradient_rows(const SoftmaxGradientRows& rows, int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(softmax_gradient_rows_of)(rows, begin, end);
}

}  // namespace polyphon
#endif
