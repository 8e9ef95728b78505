// The arithmetic of span attention, vectorised for the CPU at run time (Google Highway): one unit
// of cells against all queries that see it, under an online softmax. Scores are kept in base 2, so
// that exp(x) is exp2 of them. Each thread has its own scratch; no locks.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "simd/aligned_array.h"
#include "simd/attention_op.h"
#include "simd/mask_plan.h"

namespace polyphon {

// The softmax so far of the queries of one row group and KV head: query index is
// row * group + head within the group.
struct SoftmaxState {
  int queries = 0;
  float* maximum = nullptr;  // [queries], -inf before any visible cell; base 2
  float* sum = nullptr;      // [queries], of 2^(score - maximum)
  float* values = nullptr;   // [value_size, queries], weighted sum of V
};

// A run of units of one row group and some neighbouring KV heads that one thread computes: unit by
// unit, and of each head after head, since the heads' shares of a cell lie beside each other.
struct SpanWork {
  const RowGroup* group = nullptr;
  std::span<const AttentionUnit> units;
  int first_head = 0;
};

// What a thread keeps between calls.
struct SpanScratch {
  AlignedArray<float> keys, values, scores;  // of one unit and head
  struct Head {
    AlignedArray<float> queries, query_lanes;
    std::vector<size_t> indices;    // of the unit's queries in the state
    std::vector<float*> outputs;    // of each, in the state
    std::vector<float> correction;  // of each, what its sums so far are multiplied by
  };
  std::vector<Head> heads;
};

// Attends `work` into `states`, one a KV head from work.first_head on, whose arrays it initialises.
void attend_units(const AttentionOp& op, const MaskPlan& plan, const SpanWork& work,
                  SpanScratch& scratch, std::span<SoftmaxState> states);

// Writes the output of query `query` of (group, kv_head) from the states of all threads that had a
// share in it.
void merge_states(const AttentionOp& op, const RowGroup& group, int kv_head, int query,
                  std::span<const SoftmaxState> states);

// Whether the kernels chosen at run time are those that were measured faster than ggml's: any with
// fused multiply-add and conversion of binary16.
bool span_kernels_are_fast();

// "AVX3", "AVX2", "NEON"
const char* span_kernel_target();

}  // namespace polyphon
