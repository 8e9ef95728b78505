// How much memory a run will take, before it takes any. Plain arithmetic, no torch.
#pragma once

#include <cstdint>
#include <string>

#include "model/weight_file.h"
#include "trainer/train_options.h"

namespace polyphon {

struct MemoryEstimate {
  int64_t program = 0;  // libtorch and its threads
  int64_t weights = 0;  // of the base
  int64_t trained = 0;  // the adapter, its gradient and moments, and a copy while they are saved
  int64_t activations = 0;  // kept from forward to backward
  int64_t passing = 0;      // of the layer at work, logits, gaps
  int64_t total() const { return program + weights + trained + activations + passing; }
};

// In bytes, of batches that are full. `number`: bytes of one number of a product, 2 or 4.
MemoryEstimate estimate_memory(const ModelShape& shape, const TrainOptions& options, int number);

// Throws Error{kInvalidArgument} with the figures, and what to lower, when `available` bytes are
// less.
void check_memory(const MemoryEstimate& estimate, const TrainOptions& options, int64_t available);

}  // namespace polyphon
