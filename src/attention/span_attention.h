// Attention that reads each block of the KV cache once for all rows that see it. One instance a
// llama_context: it keeps the scratch of its threads and what the step's masks said, for the
// layers that share them. Runs on the OpenMP team of the calling thread, which is ggml's.
#pragma once

#include <vector>

#include "simd/attention_op.h"
#include "simd/mask_plan.h"
#include "simd/span_kernels.h"

namespace polyphon {

class SpanAttention {
 public:
  // May change from one compute() to the next. The results depend on the most there ever were.
  void set_threads(int threads) {
    threads_ = threads;
    shares_ = std::max(shares_, threads);
  }

  // Forgets what the masks said: a new step may have written others into the same memory.
  void begin_step() { plans_.clear(); }

  // Blocks until op.out is written. Between two begin_step() a mask must not change.
  void compute(const AttentionOp& op);

 private:
  struct Planned {
    const uint16_t* mask = nullptr;
    int rows = 0, cells = 0, group_rows = 0;
    MaskPlan plan;
    std::vector<uint64_t> unit_costs;   // of all units of the same group before each
    std::vector<uint64_t> group_costs;  // of one KV head
  };
  // What a worker computed of one row group and some neighbouring KV heads.
  struct Part {
    size_t group = 0;
    int first_head = 0;
    std::vector<SoftmaxState> states;  // of each head
    AlignedArray<float> floats;
  };
  struct Worker {
    SpanScratch scratch;
    Part inner;     // a whole row group and KV head, written at once
    Part edges[2];  // those that a neighbour has a part of, kept until all are done
    size_t edge_count = 0;
  };

  const Planned& planned(const AttentionOp& op);
  void attend(const AttentionOp& op, const Planned& planned, size_t share, size_t shares);
  void merge(const AttentionOp& op, const Planned& planned, size_t share, size_t shares);

  int threads_ = 1;
  int shares_ = 1;               // that the work is cut into
  std::vector<Planned> plans_;   // of this step's masks
  std::vector<Worker> workers_;  // one a share
};

}  // namespace polyphon
