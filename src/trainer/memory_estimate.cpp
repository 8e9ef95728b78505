#include "trainer/memory_estimate.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "tensors/lora.h"

namespace polyphon {
namespace {

constexpr int64_t kMegabyte = 1 << 20;
constexpr int64_t kProgram = 220 * kMegabyte;  // measured, with a model of no size
constexpr int64_t kKernels = 100 * kMegabyte;  // measured, those that main.cpp lets oneDNN keep
constexpr int64_t kSum = 4;                    // bytes of a number of the residual stream
constexpr int64_t kLogitRows = 128;            // as operations.cpp has at a time

}  // namespace

MemoryEstimate estimate_memory(const ModelShape& shape, const TrainOptions& options, int number) {
  const int64_t layers = shape.layers, hidden = shape.hidden_size, rank = options.rank;
  const int64_t inner = shape.feed_forward_size, rows = options.batch_tokens;
  const int64_t vocabulary = shape.vocabulary_size;
  const int64_t q = projection_size(shape, kQuery).first, kv = projection_size(shape, kKey).first;

  int64_t projections = 0, adapter = 0;  // numbers of one layer
  for (int p = 0; p < kProjectionCount; ++p) {
    const auto [out, in] = projection_size(shape, p);
    projections += out * in;
    const auto& chosen = options.projections;
    if (std::find(chosen.begin(), chosen.end(), kProjections[p]) != chosen.end())
      adapter += rank * (out + in);
  }
  // Of one row of one layer: sums before both norms, the inputs of all products, q, k and v, gate
  // and up, and what the adapters' A gave.
  const int64_t kept = 2 * kSum * hidden +
                       number * (2 * hidden + 2 * q + 2 * kv + 3 * inner + kProjectionCount * rank);
  const int64_t input = kSum * hidden;
  // Gradients on their way through the widest place of a layer.
  const int64_t wave = number * (5 * inner + 4 * hidden) + 3 * kSum * hidden;

  MemoryEstimate estimate;
  estimate.program = kProgram + kKernels;
  estimate.weights =
      number * (layers * projections + vocabulary * hidden * (shape.tied_head ? 1 : 2));
  // Weight, gradient, two moments; a checkpoint copies weight and moments, and reads them again.
  estimate.trained = kSum * layers * adapter * (4 + 3 * 3);
  estimate.activations = rows * (options.checkpoint_layers ? layers * input + kept : layers * kept);
  // Logits and their gradient by the state, and gaps that batches of other sizes leave in the heap:
  // an eighth, measured. Loading a model takes its largest tensor in float, before there are any.
  estimate.passing =
      std::max(rows * wave + 2 * kLogitRows * vocabulary * number + estimate.activations / 8,
               2 * kSum * vocabulary * hidden - estimate.activations);
  return estimate;
}

void check_memory(const MemoryEstimate& estimate, const TrainOptions& options, int64_t available) {
  if (estimate.total() <= available) return;
  const auto megabytes = [](int64_t bytes) { return bytes / kMegabyte; };
  throw Error(
      ErrorCode::kInvalidArgument,
      fmt::format("the run needs about {} MB and {} MB are free: {} MB for the base's weights, {} "
                  "for rank {}, {} for the activations of {} tokens{}, {} in passing, {} for the "
                  "program. Lower --batch-tokens or --rank{}",
                  megabytes(estimate.total()), megabytes(available), megabytes(estimate.weights),
                  megabytes(estimate.trained), options.rank, megabytes(estimate.activations),
                  options.batch_tokens,
                  options.checkpoint_layers ? " with --checkpoint-layers" : "",
                  megabytes(estimate.passing), megabytes(estimate.program),
                  options.checkpoint_layers ? "" : ", or add --checkpoint-layers"),
      "batch-tokens");
}

}  // namespace polyphon
