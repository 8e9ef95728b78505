#include "simd/span_kernels.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/span_kernels.cpp"
// foreach_target must come first.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "simd/unit_attention-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace polyphon::HWY_NAMESPACE {

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
