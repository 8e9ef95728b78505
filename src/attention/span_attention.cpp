#include "attention/span_attention.h"

#include <algorithm>

#ifdef _OPENMP  // not under a sanitizer
#include <omp.h>
#endif

namespace polyphon {
namespace {

// Queries that are attended together: their outputs and scores stay in the second-level cache.
constexpr int kMostGroupQueries = 256;

// Multiply-adds a cell and element that reading and converting it is worth.
constexpr uint64_t kCellCost = 6;
constexpr uint64_t kUnitCost = 64;
constexpr uint64_t kGroupCost = 256;

uint64_t cost(const AttentionUnit& unit, int group) {
  return kUnitCost + unit.cell_count * (kCellCost + unit.row_count * static_cast<uint64_t>(group));
}

// How many neighbouring KV heads are attended together. Their shares of a cell lie beside each
// other, so that memory is read in longer runs; but the pieces must suffice for all threads.
int heads_together(const AttentionOp& op, const MaskPlan& plan, size_t threads) {
  constexpr size_t kRunBytes = 512;
  const size_t head_bytes = op.keys.head_bytes(op.key_size);
  const bool few_units = plan.units.size() < 4 * threads;
  return few_units ? 1 : std::clamp(static_cast<int>(kRunBytes / head_bytes), 1, op.kv_heads);
}

void shape_states(const AttentionOp& op, const RowGroup& group, int heads,
                  AlignedArray<float>& floats, std::vector<SoftmaxState>& states) {
  const auto queries = static_cast<size_t>(group.row_count) * static_cast<size_t>(op.group());
  const size_t size = queries * (static_cast<size_t>(op.value_size) + 2);
  states.resize(static_cast<size_t>(heads));
  float* at = floats.reserve(size * states.size());
  for (SoftmaxState& state : states) {
    state.queries = static_cast<int>(queries);
    state.values = at;
    state.maximum = at + queries * static_cast<size_t>(op.value_size);
    state.sum = state.maximum + queries;
    at += size;
  }
}

}  // namespace

const SpanAttention::Planned& SpanAttention::planned(const AttentionOp& op) {
  const int group_rows = std::clamp(kMostGroupQueries / op.group(), 1, kMostGroupRows);
  for (const Planned& known : plans_)
    if (known.mask == op.mask && known.rows == op.rows && known.cells == op.cells &&
        known.group_rows == group_rows)
      return known;
  Planned& made = plans_.emplace_back();
  made.mask = op.mask;
  made.rows = op.rows;
  made.cells = op.cells;
  made.group_rows = group_rows;
  made.plan = plan_mask(op.mask, op.mask_row_stride, op.rows, op.cells, group_rows);
  for (const RowGroup& group : made.plan.groups) {
    uint64_t sum = 0;
    for (uint32_t u = 0; u < group.unit_count; ++u) {
      made.unit_costs.push_back(sum);
      sum += cost(made.plan.units[group.first_unit + u], op.group());
    }
    made.group_costs.push_back(sum + kGroupCost);
  }
  return made;
}

// Share s of n is what lies in [s / n, (s + 1) / n) of the cost of all row groups, runs of
// KV heads and units in a row.
void SpanAttention::attend(const AttentionOp& op, const Planned& planned, size_t share,
                           size_t shares) {
  Worker& self = workers_[share];
  self.edge_count = 0;
  const MaskPlan& plan = planned.plan;
  const int together = heads_together(op, plan, shares);
  uint64_t total = 0;
  for (const uint64_t cost : planned.group_costs)
    total += cost * static_cast<uint64_t>(op.kv_heads);
  const uint64_t begin = total * share / shares, end = total * (share + 1) / shares;
  uint64_t base = 0;
  for (size_t g = 0; g < plan.groups.size() && base < end; ++g) {
    const RowGroup& group = plan.groups[g];
    const auto costs = planned.unit_costs.begin() + group.first_unit;
    for (int head = 0; head < op.kv_heads; head += together) {
      const int heads = std::min(together, op.kv_heads - head);
      const auto unit_at = [&](uint64_t cost) {
        if (cost <= base) return 0u;
        const uint64_t of_one_head = (cost - base) / static_cast<uint64_t>(heads);
        return static_cast<uint32_t>(
            std::lower_bound(costs, costs + group.unit_count, of_one_head) - costs);
      };
      const uint32_t first = unit_at(begin), last = unit_at(end);
      const bool whole = last - first == group.unit_count;
      // Without a unit no row sees anything: its output is written too.
      const bool mine = group.unit_count == 0 ? begin <= base && base < end : first < last;
      base += planned.group_costs[g] * static_cast<uint64_t>(heads);
      if (!mine) continue;
      Part& part = whole ? self.inner : self.edges[self.edge_count++];
      part.group = g;
      part.first_head = head;
      shape_states(op, group, heads, part.floats, part.states);
      const SpanWork work{
          &group, std::span(plan.units).subspan(group.first_unit + first, last - first), head};
      attend_units(op, plan, work, self.scratch, part.states);
      if (!whole) continue;
      for (int h = 0; h < heads; ++h)
        for (int q = 0; q < part.states[0].queries; ++q)
          merge_states(op, group, head + h, q, {&part.states[static_cast<size_t>(h)], 1});
    }
  }
}

// Joins the parts of neighbouring shares in the same row group and KV heads; the queries of each
// are dealt out to all shares.
void SpanAttention::merge(const AttentionOp& op, const Planned& planned, size_t share,
                          size_t shares) {
  std::vector<const Part*> parts;
  std::vector<SoftmaxState> states;
  const auto finish = [&] {
    if (parts.empty()) return;
    const Part& any = *parts.front();
    const auto queries = static_cast<size_t>(any.states[0].queries);
    for (size_t i = share; i < queries * any.states.size(); i += shares) {
      const size_t head = i / queries;
      states.clear();
      for (const Part* part : parts) states.push_back(part->states[head]);
      merge_states(op, planned.plan.groups[any.group], any.first_head + static_cast<int>(head),
                   static_cast<int>(i % queries), states);
    }
    parts.clear();
  };
  for (const Worker& worker : workers_)
    for (size_t e = 0; e < worker.edge_count; ++e) {
      const Part& part = worker.edges[e];
      if (!parts.empty() &&
          (part.group != parts.front()->group || part.first_head != parts.front()->first_head))
        finish();
      parts.push_back(&part);
    }
  finish();
}

// The shares are as many as the team has threads when all of them compute. A smaller team deals the
// same shares out, so that sums do not depend on how many threads there are at the moment.
void SpanAttention::compute(const AttentionOp& op) {
  const Planned& plan = planned(op);
  const auto shares = static_cast<size_t>(shares_);
  if (workers_.size() < shares) workers_.resize(shares);
#pragma omp parallel num_threads(threads_) if (threads_ > 1)
  {
    size_t thread = 0, threads = 1;
#ifdef _OPENMP
    thread = static_cast<size_t>(omp_get_thread_num());
    threads = static_cast<size_t>(omp_get_num_threads());
#endif
    for (size_t share = thread; share < shares; share += threads) attend(op, plan, share, shares);
#pragma omp barrier
    for (size_t share = thread; share < shares; share += threads) merge(op, plan, share, shares);
  }
}

}  // namespace polyphon
