#include "simd/bf16_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/bf16_kernels.cpp"
// foreach_target must come first.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include <bit>
#include <cstdint>
#include <cstring>

// Highway's own target with these instructions asks for more than Zen 4 has (1.0.3).
#if HWY_TARGET == HWY_AVX3
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512bf16")
#else
HWY_BEFORE_NAMESPACE();
#endif
namespace polyphon::HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX3

namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using Vec = hn::Vec<F32>;
constexpr size_t kLanes = hn::MaxLanes(F32());

bool has_pair_dots() { return __builtin_cpu_supports("avx512bf16") != 0; }

// sum + the dot products of the pairs in each lane.
HWY_INLINE Vec add_dots(Vec sum, Vec a, Vec b) {
  return Vec{_mm512_dpbf16_ps(sum.raw, reinterpret_cast<__m512bh>(a.raw),
                              reinterpret_cast<__m512bh>(b.raw))};
}

// The pair at `from`, in every lane.
HWY_INLINE Vec set_pair(const void* from) {
  float pair;
  std::memcpy(&pair, from, sizeof pair);
  return hn::Set(F32(), pair);
}

HWY_INLINE Vec round_to_pairs(Vec first, Vec second) {
  alignas(64) static constexpr uint16_t kInterleave[32] = {
      0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const auto halves = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(second.raw, first.raw));
  return Vec{_mm512_castsi512_ps(_mm512_permutexvar_epi16(_mm512_load_si512(kInterleave), halves))};
}

template <size_t kCells, size_t kVectors>
HWY_INLINE void pair_score_tile(const std::byte* const* keys, const float* queries, size_t size,
                                size_t stride, float* scores) {
  const F32 d;
  Vec sums[kCells][kVectors];
  for (auto& row : sums)
    for (Vec& sum : row) sum = hn::Zero(d);
  for (size_t i = 0; i < size / 2; ++i) {
    Vec query[kVectors];
    for (size_t v = 0; v < kVectors; ++v) query[v] = hn::Load(d, queries + i * stride + v * kLanes);
    for (size_t c = 0; c < kCells; ++c) {
      const Vec key = set_pair(keys[c] + i * sizeof(float));
      for (size_t v = 0; v < kVectors; ++v) sums[c][v] = add_dots(sums[c][v], key, query[v]);
    }
  }
  for (size_t c = 0; c < kCells; ++c)
    for (size_t v = 0; v < kVectors; ++v)
      hn::Store(sums[c][v], d, scores + c * stride + v * kLanes);
}

template <size_t kVectors>
HWY_NOINLINE void pair_score_columns(const std::byte* const* keys, size_t count,
                                     const float* queries, size_t size, size_t stride,
                                     float* scores, const CellsAhead& ahead) {
  constexpr size_t kCells = 8;
  size_t c = 0;
  for (; c + kCells <= count; c += kCells) {
    ahead.fetch(c, c + kCells);
    pair_score_tile<kCells, kVectors>(keys + c, queries, size, stride, scores + c * stride);
  }
  ahead.fetch(c, ahead.count);
  for (; c < count; ++c)
    pair_score_tile<1, kVectors>(keys + c, queries, size, stride, scores + c * stride);
}

void pair_scores(const std::byte* const* keys, size_t count, const float* queries, size_t size,
                 size_t stride, float* scores, const CellsAhead& ahead) {
  size_t q = 0;
  for (; q + 2 * kLanes <= stride; q += 2 * kLanes)
    pair_score_columns<2>(keys, count, queries + q, size, stride, scores + q,
                          q == 0 ? ahead : CellsAhead());
  if (q < stride)
    pair_score_columns<1>(keys, count, queries + q, size, stride, scores + q,
                          q == 0 ? ahead : CellsAhead());
}

template <size_t kQueries, size_t kVectors>
HWY_INLINE void pair_value_tile(const float* values, size_t pairs, size_t size,
                                const float* weights, size_t stride, const float* correction,
                                float* const* out, size_t column) {
  const F32 d;
  Vec sums[kQueries][kVectors];
  for (size_t q = 0; q < kQueries; ++q) {
    const Vec factor = hn::Set(d, correction[q]);
    for (size_t v = 0; v < kVectors; ++v)
      sums[q][v] = hn::Mul(factor, hn::LoadU(d, out[q] + column + v * kLanes));
  }
  for (size_t p = 0; p < pairs; ++p) {
    Vec value[kVectors];
    for (size_t v = 0; v < kVectors; ++v)
      value[v] = hn::Load(d, values + p * size + column + v * kLanes);
    for (size_t q = 0; q < kQueries; ++q) {
      const Vec weight = set_pair(weights + p * stride + q);
      for (size_t v = 0; v < kVectors; ++v) sums[q][v] = add_dots(sums[q][v], weight, value[v]);
    }
  }
  for (size_t q = 0; q < kQueries; ++q)
    for (size_t v = 0; v < kVectors; ++v) hn::StoreU(sums[q][v], d, out[q] + column + v * kLanes);
}

template <size_t kVectors>
HWY_NOINLINE void pair_value_columns(const float* values, size_t pairs, size_t size,
                                     const float* weights, size_t stride, const float* correction,
                                     float* const* out, size_t queries, size_t column,
                                     const CellsAhead& ahead) {
  constexpr size_t kQueries = 6;
  size_t q = 0;
  for (; q + kQueries <= queries; q += kQueries) {
    ahead.fetch(ahead.count * q / queries, ahead.count * (q + kQueries) / queries);
    pair_value_tile<kQueries, kVectors>(values, pairs, size, weights + q, stride, correction + q,
                                        out + q, column);
  }
  ahead.fetch(ahead.count * q / queries, ahead.count);
  for (; q + 2 <= queries; q += 2)
    pair_value_tile<2, kVectors>(values, pairs, size, weights + q, stride, correction + q, out + q,
                                 column);
  for (; q < queries; ++q)
    pair_value_tile<1, kVectors>(values, pairs, size, weights + q, stride, correction + q, out + q,
                                 column);
}

// 16 elements of two cells as pairs; without a second one they are paired with zeros.
HWY_INLINE Vec pair_cells(const std::byte* first, const std::byte* second) {
  const auto widen = [](const std::byte* from) {
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  };
  __m512i pairs = widen(first);
  if (second) pairs = _mm512_or_si512(pairs, _mm512_slli_epi32(widen(second), 16));
  return Vec{_mm512_castsi512_ps(pairs)};
}

void pair_values(const std::byte* const* values, size_t count, size_t size, const float* weights,
                 size_t stride, const float* correction, float* const* out, size_t queries,
                 float* scratch, const CellsAhead& ahead) {
  const F32 d;
  const size_t pairs = (count + 1) / 2;
  float* const paired_values = scratch;                  // [pairs][size]
  float* const paired_weights = scratch + pairs * size;  // [pairs][stride]
  for (size_t p = 0; p < pairs; ++p) {
    const bool both = 2 * p + 1 < count;
    const std::byte* const second = both ? values[2 * p + 1] : nullptr;
    for (size_t i = 0; i < size; i += kLanes)
      hn::Store(pair_cells(values[2 * p] + 2 * i, second ? second + 2 * i : nullptr), d,
                paired_values + p * size + i);
    const float* const row = weights + 2 * p * stride;
    for (size_t q = 0; q < stride; q += kLanes)
      hn::Store(
          round_to_pairs(hn::Load(d, row + q), both ? hn::Load(d, row + stride + q) : hn::Zero(d)),
          d, paired_weights + p * stride + q);
  }
  constexpr size_t kVectors = 4;
  size_t i = 0;
  for (; i + kVectors * kLanes <= size; i += kVectors * kLanes)
    pair_value_columns<kVectors>(paired_values, pairs, size, paired_weights, stride, correction,
                                 out, queries, i, i == 0 ? ahead : CellsAhead());
  for (; i < size; i += kLanes)
    pair_value_columns<1>(paired_values, pairs, size, paired_weights, stride, correction, out,
                          queries, i, i == 0 ? ahead : CellsAhead());
}

#else

bool has_pair_dots() { return false; }
void pair_scores(const std::byte* const*, size_t, const float*, size_t, size_t, float*,
                 const CellsAhead&) {}
void pair_values(const std::byte* const*, size_t, size_t, const float*, size_t, const float*,
                 float* const*, size_t, float*, const CellsAhead&) {}

#endif

}  // namespace polyphon::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polyphon {
namespace {

// To nearest, ties to even.
uint32_t round_to_bf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
}

}  // namespace

HWY_EXPORT(has_pair_dots);
HWY_EXPORT(pair_scores);
HWY_EXPORT(pair_values);

bool has_bf16_kernels() { return HWY_DYNAMIC_DISPATCH(has_pair_dots)(); }

void pair_query(const float* query, size_t size, size_t stride, size_t q, float* pairs) {
  for (size_t i = 0; i < size / 2; ++i)
    pairs[i * stride + q] =
        std::bit_cast<float>(round_to_bf16(query[2 * i]) | round_to_bf16(query[2 * i + 1]) << 16);
}

void bf16_scores(const std::byte* const* keys, size_t count, const float* queries, size_t size,
                 size_t stride, float* scores, const CellsAhead& ahead) {
  HWY_DYNAMIC_DISPATCH(pair_scores)(keys, count, queries, size, stride, scores, ahead);
}

void bf16_values(const std::byte* const* values, size_t count, size_t size, const float* weights,
                 size_t stride, const float* correction, float* const* out, size_t queries,
                 float* pairs, const CellsAhead& ahead) {
  HWY_DYNAMIC_DISPATCH(pair_values)
  (values, count, size, weights, stride, correction, out, queries, pairs, ahead);
}

}  // namespace polyphon
#endif  // HWY_ONCE
