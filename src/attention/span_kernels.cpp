#include "attention/span_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attention/span_kernels.cpp"
// foreach_target must come first.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <hwy/contrib/math/math-inl.h>
// clang-format on

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "attention/bf16_kernels.h"
#include "attention/cells_ahead.h"

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
// Keys of a tile of scores, each read on its own. 8 hide an addition's latency; with one vector of
// queries, 24 took three times as long.
constexpr size_t kScoreCells = 8;

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

// ---- Few queries: dot products straight from the cache --------------------------------------

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

// ---- Many queries: a matrix product with queries in the lanes --------------------------------

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

// ---- One unit --------------------------------------------------------------------------------

class UnitAttention {
 public:
  UnitAttention(const AttentionOp& op, const MaskPlan& plan, const SpanWork& work, int head,
                SpanScratch& scratch, SoftmaxState& state)
      : op_(op),
        plan_(plan),
        work_(work),
        kv_head_(work.first_head + head),
        scratch_(scratch),
        head_scratch_(scratch.heads[static_cast<size_t>(head)]),
        state_(state),
        key_size_(static_cast<size_t>(op.key_size)),
        value_size_(static_cast<size_t>(op.value_size)),
        group_(static_cast<size_t>(op.group())),
        indices_(head_scratch_.indices),
        outputs_(head_scratch_.outputs),
        correction_(head_scratch_.correction) {
    const auto queries = static_cast<size_t>(state.queries);
    std::fill_n(state.maximum, queries, kNever);
    std::fill_n(state.sum, queries, 0.0f);
    std::fill_n(state.values, queries * value_size_, 0.0f);
    pack_queries();
  }

  void attend(const AttentionUnit& unit) {
    const size_t queries = unit.row_count * group_;
    if (unit.first_row != listed_) list_queries(unit);
    list_cells(unit, op_.keys, keys_);
    list_cells(unit, op_.values, values_);
    values_ahead_ = {values_, unit.cell_count, op_.values.head_bytes(op_.value_size)};
    if (queries <= kMostFewQueries)
      attend_few(unit, queries);
    else
      attend_many(unit, queries);
  }

  // Fetches the keys of `unit` while it attends another one.
  void look_ahead(const AttentionUnit* unit, const UnitAttention& reader) {
    if (unit) reader.list_cells(*unit, op_.keys, next_keys_);
    keys_ahead_ = {next_keys_, unit ? unit->cell_count : 0, op_.keys.head_bytes(op_.key_size)};
  }

 private:
  // The factor between a dot product and its score; with a soft cap, the argument of tanh.
  float query_scale() const {
    return op_.softcap > 0 ? op_.scale / op_.softcap : op_.scale * kLog2E;
  }

  void pack_queries() {
    float* const packed =
        head_scratch_.queries.reserve(static_cast<size_t>(state_.queries) * key_size_);
    const F32 d;
    const Vec scale = hn::Set(d, query_scale());
    for (size_t q = 0; q < static_cast<size_t>(state_.queries); ++q) {
      const float* const from =
          op_.query(work_.group->first_row + static_cast<int>(q / group_),
                    kv_head_ * static_cast<int>(group_) + static_cast<int>(q % group_));
      for (size_t i = 0; i < key_size_; i += kLanes)
        hn::Store(hn::Mul(scale, hn::LoadU(d, from + i)), d, packed + q * key_size_ + i);
    }
    packed_ = packed;
  }

  void list_cells(const AttentionUnit& unit, const KvTensor& tensor, const std::byte** to) const {
    for (size_t c = 0; c < unit.cell_count; ++c)
      to[c] = tensor.at(plan_.cells[unit.first_cell + c], kv_head_);
  }

  // The unit's queries: each of its rows times the heads of the group.
  void list_queries(const AttentionUnit& unit) {
    listed_ = unit.first_row;
    transposed_ = false;
    indices_.clear();
    outputs_.clear();
    for (size_t i = 0; i < unit.row_count; ++i)
      for (size_t g = 0; g < group_; ++g) {
        indices_.push_back(plan_.rows[unit.first_row + i] * group_ + g);
        outputs_.push_back(state_.values + indices_.back() * value_size_);
      }
    correction_.resize(indices_.size() + kLanes);
  }

  float slope(size_t query) const {
    return op_.max_bias > 0 ? alibi_slope(op_, kv_head_ * static_cast<int>(group_) +
                                                   static_cast<int>(query % group_))
                            : 1.0f;
  }

  bool sees(const AttentionUnit& unit, size_t c, size_t query) const {
    return (plan_.seen[unit.first_cell + c] >> (query / group_) & 1) != 0;
  }

  // slope * mask of one query, in base 2.
  float bias(const AttentionUnit& unit, size_t c, size_t query, float slope) const {
    const size_t row = static_cast<size_t>(work_.group->first_row) + query / group_;
    const uint32_t cell = plan_.cells[unit.first_cell + c];
    return kLog2E * slope * float_of(op_.mask + row * op_.mask_row_stride + cell);
  }

  void cap(float* scores, size_t size) const {
    const F32 d;
    const Vec factor = hn::Set(d, op_.softcap * kLog2E);
    for (size_t i = 0; i < size; i += kLanes)
      hn::StoreU(hn::Mul(factor, hn::Tanh(d, hn::LoadU(d, scores + i))), d, scores + i);
  }

  // Pointers to cells as the kernels for few queries read them: in place, or converted.
  template <typename Use>
  void with_cells(const KvTensor& tensor, const std::byte* const* cells, size_t count, size_t size,
                  AlignedFloats& converted, Use use) {
    if (tensor.type == KvType::kF16) {
      use(reinterpret_cast<const hwy::float16_t* const*>(cells));
    } else if (tensor.type == KvType::kBF16) {
      use(reinterpret_cast<const hwy::bfloat16_t* const*>(cells));
    } else if (tensor.type == KvType::kF32) {
      use(reinterpret_cast<const float* const*>(cells));
    } else {
      float* const floats = converted.reserve(kUnitCells * size);
      const float* pointers[kUnitCells];
      for (size_t c = 0; c < count; ++c) {
        pointers[c] = floats + c * size;
        convert_cell(tensor.type, cells[c], size, floats + c * size);
      }
      use(static_cast<const float* const*>(pointers));
    }
  }

  void attend_few(const AttentionUnit& unit, size_t queries) {
    const size_t count = unit.cell_count;
    const float* query = packed_ + indices_[0] * key_size_;
    if (indices_[queries - 1] - indices_[0] != queries - 1) query = gather_queries(queries);
    float* const scores = scratch_.scores.reserve(kMostFewQueries * kUnitCells);
    with_cells(op_.keys, keys_, count, key_size_, scratch_.keys, [&](auto cells) {
      few_scores_of(queries, cells, count, query, key_size_, scores, values_ahead_);
    });
    for (size_t q = 0; q < queries; ++q) softmax_row(unit, q, scores + q * kUnitCells);
    with_cells(op_.values, values_, count, value_size_, scratch_.values, [&](auto cells) {
      few_values_of(queries, cells, count, value_size_, scores, correction_.data(), outputs_.data(),
                    keys_ahead_);
    });
  }

  const float* gather_queries(size_t queries) {
    float* const to = head_scratch_.query_lanes.reserve(queries * key_size_);
    for (size_t q = 0; q < queries; ++q)
      std::memcpy(to + q * key_size_, packed_ + indices_[q] * key_size_, key_size_ * sizeof(float));
    return to;
  }

  // Scores of one query to weights, over a unit's cells in the lanes.
  void softmax_row(const AttentionUnit& unit, size_t q, float* scores) {
    const F32 d;
    const size_t query = indices_[q], count = unit.cell_count;
    const size_t end = (count + kLanes - 1) / kLanes * kLanes;
    if (op_.softcap > 0) cap(scores, end);
    if (plan_.biased) {
      const float factor = slope(query);
      for (size_t c = 0; c < count; ++c) scores[c] += bias(unit, c, query, factor);
    } else if (unit.partial) {
      for (size_t c = 0; c < count; ++c)
        if (!sees(unit, c, query)) scores[c] = kNever;
    }
    std::fill(scores + count, scores + end, kNever);
    Vec most = hn::LoadU(d, scores);
    for (size_t c = kLanes; c < end; c += kLanes) most = hn::Max(most, hn::LoadU(d, scores + c));
    const float old = state_.maximum[query];
    const float maximum = std::max(old, hn::GetLane(hn::MaxOfLanes(d, most)));
    const float base = maximum == kNever ? 0.0f : maximum;
    Vec sum = hn::Zero(d);
    for (size_t c = 0; c < end; c += kLanes) {
      const Vec weight = exp2_vector(hn::Sub(hn::LoadU(d, scores + c), hn::Set(d, base)));
      hn::StoreU(weight, d, scores + c);
      sum = hn::Add(sum, weight);
    }
    const float correction = exp2_one(old - base);
    correction_[q] = correction;
    state_.sum[query] = state_.sum[query] * correction + hn::GetLane(hn::SumOfLanes(d, sum));
    state_.maximum[query] = maximum;
  }

  void attend_many(const AttentionUnit& unit, size_t queries) {
    const size_t count = unit.cell_count;
    const size_t stride = (queries + kLanes - 1) / kLanes * kLanes;
    float* const scores = scratch_.scores.reserve(kUnitCells * stride);
    const float* const lanes = transpose_queries(queries, stride);
    if (in_pairs(op_.keys))
      bf16_scores(keys_, count, lanes, key_size_, stride, scores, values_ahead_);
    else
      score_many(count, lanes, stride, scores);
    if (op_.softcap > 0) cap(scores, count * stride);
    if (plan_.biased) add_biases(unit, queries, stride, scores);
    for (size_t q = 0; q < queries; q += kLanes) softmax_lanes(unit, q, queries, stride, scores);
    if (in_pairs(op_.values))
      bf16_values(values_, count, value_size_, scores, stride, correction_.data(), outputs_.data(),
                  queries, scratch_.values.reserve(kUnitCells / 2 * (value_size_ + stride)),
                  keys_ahead_);
    else
      weigh_many(count, queries, scores, stride);
  }

  // Whether many queries read such cells as pairs of bfloat16.
  bool in_pairs(const KvTensor& tensor) const { return tensor.type == KvType::kBF16 && has_bf16_; }

  void score_many(size_t count, const float* lanes, size_t stride, float* scores) {
    float* const keys = scratch_.keys.reserve(kUnitCells * key_size_);
    for (size_t c = 0; c < count; ++c)
      convert_cell(op_.keys.type, keys_[c], key_size_, keys + c * key_size_);
    size_t q = 0;
    for (; q + 2 * kLanes <= stride; q += 2 * kLanes)
      many_scores<2>(keys, count, lanes + q, key_size_, stride, scores + q,
                     q == 0 ? values_ahead_ : CellsAhead());
    if (q < stride)
      many_scores<1>(keys, count, lanes + q, key_size_, stride, scores + q,
                     q == 0 ? values_ahead_ : CellsAhead());
  }

  void weigh_many(size_t count, size_t queries, const float* scores, size_t stride) {
    float* const values = scratch_.values.reserve(kUnitCells * value_size_);
    for (size_t c = 0; c < count; ++c)
      convert_cell(op_.values.type, values_[c], value_size_, values + c * value_size_);
    many_values(values, count, value_size_, scores, stride, correction_.data(), outputs_.data(),
                queries, keys_ahead_);
  }

  const float* transpose_queries(size_t queries, size_t stride) {
    float* const lanes = head_scratch_.query_lanes.reserve(stride * key_size_);
    if (transposed_) return lanes;
    transposed_ = true;
    if (in_pairs(op_.keys)) {
      std::fill_n(lanes, stride * key_size_ / 2, 0.0f);
      for (size_t q = 0; q < queries; ++q)
        pair_query(packed_ + indices_[q] * key_size_, key_size_, stride, q, lanes);
      return lanes;
    }
    for (size_t q = 0; q < stride; ++q)
      for (size_t i = 0; i < key_size_; ++i)
        lanes[i * stride + q] = q < queries ? packed_[indices_[q] * key_size_ + i] : 0.0f;
    return lanes;
  }

  void add_biases(const AttentionUnit& unit, size_t queries, size_t stride, float* scores) const {
    for (size_t q = 0; q < queries; ++q) {
      const float factor = slope(indices_[q]);
      for (size_t c = 0; c < unit.cell_count; ++c)
        scores[c * stride + q] += bias(unit, c, indices_[q], factor);
    }
  }

  // As softmax_row(), for kLanes queries from q on, each in its lane.
  void softmax_lanes(const AttentionUnit& unit, size_t q, size_t queries, size_t stride,
                     float* scores) {
    const F32 d;
    const size_t count = unit.cell_count, some = std::min(kLanes, queries - q);
    if (unit.partial && !plan_.biased) hide_unseen(unit, q, some, stride, scores);
    HWY_ALIGN float old[kLanes];
    for (size_t i = 0; i < kLanes; ++i)
      old[i] = i < some ? state_.maximum[indices_[q + i]] : kNever;
    Vec most = hn::Load(d, old);
    for (size_t c = 0; c < count; ++c) most = hn::Max(most, hn::Load(d, scores + c * stride + q));
    const Vec base = hn::IfThenElseZero(hn::Gt(most, hn::Set(d, kNever)), most);
    Vec sum = hn::Zero(d);
    for (size_t c = 0; c < count; ++c) {
      float* const at = scores + c * stride + q;
      const Vec weight = exp2_vector(hn::Sub(hn::Load(d, at), base));
      hn::Store(weight, d, at);
      sum = hn::Add(sum, weight);
    }
    hn::StoreU(exp2_vector(hn::Sub(hn::Load(d, old), base)), d, correction_.data() + q);
    HWY_ALIGN float maximum[kLanes];
    HWY_ALIGN float sums[kLanes];
    hn::Store(most, d, maximum);
    hn::Store(sum, d, sums);
    for (size_t i = 0; i < some; ++i) {
      const size_t query = indices_[q + i];
      state_.maximum[query] = maximum[i];
      state_.sum[query] = state_.sum[query] * correction_[q + i] + sums[i];
    }
  }

  void hide_unseen(const AttentionUnit& unit, size_t q, size_t some, size_t stride,
                   float* scores) const {
    const F32 d;
    const hn::RebindToUnsigned<F32> du;
    HWY_ALIGN uint32_t low[kLanes] = {};  // the bit of each lane's row in `seen`, in two halves
    HWY_ALIGN uint32_t high[kLanes] = {};
    for (size_t i = 0; i < some; ++i) {
      const uint64_t bit = uint64_t{1} << (indices_[q + i] / group_);
      low[i] = static_cast<uint32_t>(bit);
      high[i] = static_cast<uint32_t>(bit >> 32);
    }
    const auto low_bit = hn::Load(du, low), high_bit = hn::Load(du, high);
    for (size_t c = 0; c < unit.cell_count; ++c) {
      const uint64_t rows = plan_.seen[unit.first_cell + c];
      const auto seen = hn::Or(hn::And(hn::Set(du, static_cast<uint32_t>(rows)), low_bit),
                               hn::And(hn::Set(du, static_cast<uint32_t>(rows >> 32)), high_bit));
      const auto hidden = hn::RebindMask(d, hn::Eq(seen, hn::Zero(du)));
      float* const at = scores + c * stride + q;
      hn::Store(hn::IfThenElse(hidden, hn::Set(d, kNever), hn::Load(d, at)), d, at);
    }
  }

  const AttentionOp& op_;
  const MaskPlan& plan_;
  const SpanWork& work_;
  const int kv_head_;
  SpanScratch& scratch_;
  SpanScratch::Head& head_scratch_;
  SoftmaxState& state_;
  const size_t key_size_, value_size_, group_;
  const bool has_bf16_ = has_bf16_kernels();
  const float* packed_ = nullptr;  // scaled queries [key_size, queries]
  uint32_t listed_ = UINT32_MAX;   // first_row of the unit that the lists below are of
  bool transposed_ = false;
  std::vector<size_t>& indices_;
  std::vector<float*>& outputs_;
  std::vector<float>& correction_;
  const std::byte* keys_[kUnitCells];
  const std::byte* values_[kUnitCells];
  const std::byte* next_keys_[kUnitCells];
  CellsAhead values_ahead_;  // of this unit, wanted after its scores
  CellsAhead keys_ahead_;    // of the next unit
};

void attend_all(const AttentionOp& op, const MaskPlan& plan, const SpanWork& work,
                SpanScratch& scratch, std::span<SoftmaxState> states) {
  if (scratch.heads.size() < states.size()) scratch.heads.resize(states.size());
  std::vector<UnitAttention> heads;
  heads.reserve(states.size());
  for (size_t h = 0; h < states.size(); ++h)
    heads.emplace_back(op, plan, work, static_cast<int>(h), scratch, states[h]);
  for (size_t u = 0; u < work.units.size(); ++u) {
    const AttentionUnit* const next = u + 1 < work.units.size() ? &work.units[u + 1] : nullptr;
    for (size_t h = 0; h < heads.size(); ++h) {
      if (h + 1 < heads.size())
        heads[h].look_ahead(&work.units[u], heads[h + 1]);
      else
        heads[h].look_ahead(next, heads[0]);
      heads[h].attend(work.units[u]);
    }
  }
}

void merge_all(const AttentionOp& op, const RowGroup& group, int kv_head, int query,
               std::span<const SoftmaxState> states) {
  const F32 d;
  const auto size = static_cast<size_t>(op.value_size);
  const auto q = static_cast<size_t>(query);
  const int head = kv_head * op.group() + query % op.group();
  const float sink = op.sinks ? op.sinks[head] * kLog2E : kNever;
  float maximum = sink;
  for (const SoftmaxState& state : states) maximum = std::max(maximum, state.maximum[q]);
  const float base = maximum == kNever ? 0.0f : maximum;
  float sum = exp2_one(sink - base);
  for (const SoftmaxState& state : states) sum += state.sum[q] * exp2_one(state.maximum[q] - base);
  const size_t row = static_cast<size_t>(group.first_row) + q / static_cast<size_t>(op.group());
  float* const out =
      op.out + (row * static_cast<size_t>(op.heads) + static_cast<size_t>(head)) * size;
  bool first = true;
  for (const SoftmaxState& state : states) {
    const Vec weight = hn::Set(d, sum > 0 ? exp2_one(state.maximum[q] - base) / sum : 0.0f);
    for (size_t i = 0; i < size; i += kLanes) {
      const Vec value = hn::Mul(weight, hn::LoadU(d, state.values + q * size + i));
      hn::StoreU(first ? value : hn::Add(value, hn::LoadU(d, out + i)), d, out + i);
    }
    first = false;
  }
}

const char* target_name() { return hwy::TargetName(HWY_TARGET); }
bool has_fma() { return HWY_NATIVE_FMA != 0; }

}  // namespace polyphon::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace polyphon {

HWY_EXPORT(attend_all);
HWY_EXPORT(merge_all);
HWY_EXPORT(target_name);
HWY_EXPORT(has_fma);

void attend_units(const AttentionOp& op, const MaskPlan& plan, const SpanWork& work,
                  SpanScratch& scratch, std::span<SoftmaxState> states) {
  HWY_DYNAMIC_DISPATCH(attend_all)(op, plan, work, scratch, states);
}

void merge_states(const AttentionOp& op, const RowGroup& group, int kv_head, int query,
                  std::span<const SoftmaxState> states) {
  HWY_DYNAMIC_DISPATCH(merge_all)(op, group, kv_head, query, states);
}

bool span_kernels_are_fast() { return HWY_DYNAMIC_DISPATCH(has_fma)(); }
const char* span_kernel_target() { return HWY_DYNAMIC_DISPATCH(target_name)(); }

}  // namespace polyphon
#endif  // HWY_ONCE
