// One row group and KV head, unit by unit: scores, the online softmax, weighted values. Included
// once a target.

// clang-format off
#if defined(POLYPHON_SIMD_UNIT_ATTENTION_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef POLYPHON_SIMD_UNIT_ATTENTION_INL_H
#undef POLYPHON_SIMD_UNIT_ATTENTION_INL_H
#else
#define POLYPHON_SIMD_UNIT_ATTENTION_INL_H
#endif
// clang-format on

#include <hwy/highway.h>
// Needs hwy/highway.h before it.
#include <hwy/contrib/math/math-inl.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "simd/bf16_kernels.h"
#include "simd/cells_ahead.h"
#include "simd/few_queries-inl.h"
#include "simd/many_queries-inl.h"
#include "simd/span_kernels.h"
#include "simd/span_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace polyphon::HWY_NAMESPACE {

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
                  AlignedArray<float>& converted, Use use) {
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

}  // namespace polyphon::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
