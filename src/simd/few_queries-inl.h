// Scores and weighted values of up to kMostFewQueries queries: dot products straight from the
// cache, elements of a cell in the lanes. Included once a target.

// clang-format off
#if defined(POLYPHON_SIMD_FEW_QUERIES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef POLYPHON_SIMD_FEW_QUERIES_INL_H
#undef POLYPHON_SIMD_FEW_QUERIES_INL_H
#else
#define POLYPHON_SIMD_FEW_QUERIES_INL_H
#endif
// clang-format on

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "simd/cells_ahead.h"
#include "simd/mask_plan.h"
#include "simd/span_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace polyphon::HWY_NAMESPACE {

constexpr size_t kMostFewQueries = 8;

// scores[q * kUnitCells + c] = queries[q] . keys[c] for whole quadruples of cells; past `count`
// whatever the last cell gives.
template <size_t kQueries, typename T>
HWY_NOINLINE void few_scores(const T* const* keys, size_t count, const float* queries, size_t size,
                             float* scores, const CellsAhead& ahead) {
  constexpr size_t kCells = kQueries <= (HWY_TARGET == HWY_AVX2 ? 2 : 4) ? 4 : 2;
  for (size_t c = 0; c < count; c += 4) {
    ahead.fetch(c, c + 4);
    for (size_t part = 0; part < 4; part += kCells) {
      const T* cell[kCells];
      for (size_t j = 0; j < kCells; ++j) cell[j] = keys[std::min(c + part + j, count - 1)];
      Vec sums[kQueries][kCells];
      for (auto& row : sums)
        for (Vec& sum : row) sum = hn::Zero(F32());
      for (size_t i = 0; i < size; i += kLanes) {
        Vec key[kCells];
        for (size_t j = 0; j < kCells; ++j) key[j] = load_floats(cell[j] + i);
        for (size_t q = 0; q < kQueries; ++q) {
          const Vec query = hn::Load(F32(), queries + q * size + i);
          for (size_t j = 0; j < kCells; ++j) sums[q][j] = hn::MulAdd(query, key[j], sums[q][j]);
        }
      }
      if constexpr (kCells == 4) {
        for (size_t q = 0; q < kQueries; ++q)
          store_sums(sums[q][0], sums[q][1], sums[q][2], sums[q][3], scores + q * kUnitCells + c);
      } else {
        for (size_t q = 0; q < kQueries; q += 2) {
          const size_t r = std::min(q + 1, kQueries - 1);
          float pairs[4];
          store_sums(sums[q][0], sums[q][1], sums[r][0], sums[r][1], pairs);
          std::memcpy(scores + q * kUnitCells + c + part, pairs, 2 * sizeof(float));
          std::memcpy(scores + r * kUnitCells + c + part, pairs + 2, 2 * sizeof(float));
        }
      }
    }
  }
}

// out[q] = correction[q] * out[q] + sum over c of weights[q][c] * values[c], columns [column, +
// kVectors).
template <size_t kQueries, size_t kVectors, typename T>
HWY_INLINE void few_columns(const T* const* values, size_t count, size_t column,
                            const float* weights, const float* correction, float* const* out,
                            const CellsAhead& ahead) {
  const F32 d;
  Vec sums[kQueries][kVectors];
  for (size_t q = 0; q < kQueries; ++q) {
    const Vec factor = hn::Set(d, correction[q]);
    for (size_t v = 0; v < kVectors; ++v)
      sums[q][v] = hn::Mul(factor, hn::LoadU(d, out[q] + column + v * kLanes));
  }
  for (size_t c = 0; c < count; ++c) {
    ahead.fetch(c, c + 1);
    Vec value[kVectors];
    for (size_t v = 0; v < kVectors; ++v) value[v] = load_floats(values[c] + column + v * kLanes);
    for (size_t q = 0; q < kQueries; ++q) {
      const Vec weight = hn::Set(d, weights[q * kUnitCells + c]);
      for (size_t v = 0; v < kVectors; ++v) sums[q][v] = hn::MulAdd(weight, value[v], sums[q][v]);
    }
  }
  for (size_t q = 0; q < kQueries; ++q)
    for (size_t v = 0; v < kVectors; ++v) hn::StoreU(sums[q][v], d, out[q] + column + v * kLanes);
}

template <size_t kQueries, typename T>
HWY_NOINLINE void few_values(const T* const* values, size_t count, size_t size,
                             const float* weights, const float* correction, float* const* out,
                             const CellsAhead& ahead) {
  constexpr size_t kVectors = std::min<size_t>(4, std::max<size_t>(1, kTileRegisters / kQueries));
  size_t i = 0;
  for (; i + kVectors * kLanes <= size; i += kVectors * kLanes)
    few_columns<kQueries, kVectors>(values, count, i, weights, correction, out,
                                    i == 0 ? ahead : CellsAhead());
  for (; i < size; i += kLanes)
    few_columns<kQueries, 1>(values, count, i, weights, correction, out,
                             i == 0 ? ahead : CellsAhead());
}

template <typename T>
void few_scores_of(size_t queries, const T* const* keys, size_t count, const float* query,
                   size_t size, float* scores, const CellsAhead& ahead) {
  switch (queries) {
    case 1:
      return few_scores<1>(keys, count, query, size, scores, ahead);
    case 2:
      return few_scores<2>(keys, count, query, size, scores, ahead);
    case 3:
      return few_scores<3>(keys, count, query, size, scores, ahead);
    case 4:
      return few_scores<4>(keys, count, query, size, scores, ahead);
    case 5:
      return few_scores<5>(keys, count, query, size, scores, ahead);
    case 6:
      return few_scores<6>(keys, count, query, size, scores, ahead);
    case 7:
      return few_scores<7>(keys, count, query, size, scores, ahead);
    default:
      return few_scores<8>(keys, count, query, size, scores, ahead);
  }
}

template <typename T>
void few_values_of(size_t queries, const T* const* values, size_t count, size_t size,
                   const float* weights, const float* correction, float* const* out,
                   const CellsAhead& ahead) {
  switch (queries) {
    case 1:
      return few_values<1>(values, count, size, weights, correction, out, ahead);
    case 2:
      return few_values<2>(values, count, size, weights, correction, out, ahead);
    case 3:
      return few_values<3>(values, count, size, weights, correction, out, ahead);
    case 4:
      return few_values<4>(values, count, size, weights, correction, out, ahead);
    case 5:
      return few_values<5>(values, count, size, weights, correction, out, ahead);
    case 6:
      return few_values<6>(values, count, size, weights, correction, out, ahead);
    case 7:
      return few_values<7>(values, count, size, weights, correction, out, ahead);
    default:
      return few_values<8>(values, count, size, weights, correction, out, ahead);
  }
}

}  // namespace polyphon::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
