// Scores and weighted values of many queries: a matrix product with queries in the lanes. Included
// once a target.

// clang-format off
#if defined(POLYPHON_SIMD_MANY_QUERIES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef POLYPHON_SIMD_MANY_QUERIES_INL_H
#undef POLYPHON_SIMD_MANY_QUERIES_INL_H
#else
#define POLYPHON_SIMD_MANY_QUERIES_INL_H
#endif
// clang-format on

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>

#include "simd/cells_ahead.h"
#include "simd/span_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace polyphon::HWY_NAMESPACE {

// Keys of a tile of scores, each read on its own. 8 hide an addition's latency; with one vector of
// queries, 24 took three times as long.
constexpr size_t kScoreCells = 8;

// scores[c * stride + q] = keys[c] . queries[q] for kVectors vectors of queries from `scores` on;
// lanes[i * stride + q] are the queries transposed. No transposition of keys, no sum over lanes.
template <size_t kCells, size_t kVectors>
HWY_INLINE void score_tile(const float* keys, const float* lanes, size_t size, size_t stride,
                           float* scores) {
  const F32 d;
  Vec sums[kCells][kVectors];
  for (auto& row : sums)
    for (Vec& sum : row) sum = hn::Zero(d);
  for (size_t i = 0; i < size; ++i) {
    Vec query[kVectors];
    for (size_t v = 0; v < kVectors; ++v) query[v] = hn::Load(d, lanes + i * stride + v * kLanes);
    for (size_t c = 0; c < kCells; ++c) {
      const Vec key = hn::Set(d, keys[c * size + i]);
      for (size_t v = 0; v < kVectors; ++v) sums[c][v] = hn::MulAdd(key, query[v], sums[c][v]);
    }
  }
  for (size_t c = 0; c < kCells; ++c)
    for (size_t v = 0; v < kVectors; ++v)
      hn::Store(sums[c][v], d, scores + c * stride + v * kLanes);
}

template <size_t kVectors>
HWY_NOINLINE void many_scores(const float* keys, size_t count, const float* lanes, size_t size,
                              size_t stride, float* scores, const CellsAhead& ahead) {
  constexpr size_t kCells = std::min(kScoreCells, kTileRegisters / kVectors);
  size_t c = 0;
  for (; c + kCells <= count; c += kCells) {
    ahead.fetch(c, c + kCells);
    score_tile<kCells, kVectors>(keys + c * size, lanes, size, stride, scores + c * stride);
  }
  ahead.fetch(c, ahead.count);
  for (; c + 4 <= count; c += 4)
    score_tile<4, kVectors>(keys + c * size, lanes, size, stride, scores + c * stride);
  for (; c < count; ++c)
    score_tile<1, kVectors>(keys + c * size, lanes, size, stride, scores + c * stride);
}

// out[q] = correction[q] * out[q] + sum over c of weights[c * stride + q] * values[c].
template <size_t kQueries, size_t kVectors>
HWY_INLINE void value_tile(const float* values, size_t count, size_t size, const float* weights,
                           size_t stride, const float* correction, float* const* out,
                           size_t column) {
  const F32 d;
  Vec sums[kQueries][kVectors];
  for (size_t q = 0; q < kQueries; ++q) {
    const Vec factor = hn::Set(d, correction[q]);
    for (size_t v = 0; v < kVectors; ++v)
      sums[q][v] = hn::Mul(factor, hn::LoadU(d, out[q] + column + v * kLanes));
  }
  for (size_t c = 0; c < count; ++c) {
    Vec value[kVectors];
    for (size_t v = 0; v < kVectors; ++v)
      value[v] = hn::Load(d, values + c * size + column + v * kLanes);
    for (size_t q = 0; q < kQueries; ++q) {
      const Vec weight = hn::Set(d, weights[c * stride + q]);
      for (size_t v = 0; v < kVectors; ++v) sums[q][v] = hn::MulAdd(weight, value[v], sums[q][v]);
    }
  }
  for (size_t q = 0; q < kQueries; ++q)
    for (size_t v = 0; v < kVectors; ++v) hn::StoreU(sums[q][v], d, out[q] + column + v * kLanes);
}

template <size_t kVectors>
HWY_NOINLINE void many_columns(const float* values, size_t count, size_t size, const float* weights,
                               size_t stride, const float* correction, float* const* out,
                               size_t queries, size_t column, const CellsAhead& ahead) {
  constexpr size_t kQueries = std::min<size_t>(8, kTileRegisters / kVectors);
  size_t q = 0;
  for (; q + kQueries <= queries; q += kQueries) {
    ahead.fetch(ahead.count * q / queries, ahead.count * (q + kQueries) / queries);
    value_tile<kQueries, kVectors>(values, count, size, weights + q, stride, correction + q,
                                   out + q, column);
  }
  ahead.fetch(ahead.count * q / queries, ahead.count);
  for (; q + 2 <= queries; q += 2)
    value_tile<2, kVectors>(values, count, size, weights + q, stride, correction + q, out + q,
                            column);
  for (; q < queries; ++q)
    value_tile<1, kVectors>(values, count, size, weights + q, stride, correction + q, out + q,
                            column);
}

void many_values(const float* values, size_t count, size_t size, const float* weights,
                 size_t stride, const float* correction, float* const* out, size_t queries,
                 const CellsAhead& ahead) {
  constexpr size_t kVectors = 4;
  size_t i = 0;
  for (; i + kVectors * kLanes <= size; i += kVectors * kLanes)
    many_columns<kVectors>(values, count, size, weights, stride, correction, out, queries, i,
                           i == 0 ? ahead : CellsAhead());
  for (; i < size; i += kLanes)
    many_columns<1>(values, count, size, weights, stride, correction, out, queries, i,
                    i == 0 ? ahead : CellsAhead());
}

}  // namespace polyphon::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
