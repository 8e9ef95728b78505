#include "weights/weight_product.h"

#include <algorithm>

#include "weights/weight_kernels.h"

namespace polyphon {
namespace {

// Columns that a thread quantises at a time.
constexpr int kQuantizeColumns = 256;

int panels_at_a_time(const PackedWeights& weights, int threads) {
  return std::max(1, weights.panels() / (threads * 16));
}

}  // namespace

void WeightProduct::compute(const ProductInput& in, std::span<const WeightProductOp> ops) {
  bool wanted[2] = {};
  for (const WeightProductOp& op : ops) wanted[block_columns(op.weights.type) == 256] = true;
  for (size_t i = 0; i < 2; ++i)
    if (wanted[i]) inputs_[i].shape(in.columns, in.rows, i == 0 ? 32 : 256);

  // Without OpenMP (under a sanitizer) the pragmas mean nothing and one thread does all.
#pragma omp parallel num_threads(threads_) if (threads_ > 1)
  {
    const int chunks = (in.columns + kQuantizeColumns - 1) / kQuantizeColumns;
    for (size_t i = 0; i < 2; ++i) {
      if (!wanted[i]) continue;
      QuantizedInput& input = inputs_[i];
#pragma omp for schedule(static)
      for (int work = 0; work < input.tiles() * chunks; ++work) {
        const int begin = work % chunks * kQuantizeColumns;
        input.quantize(work / chunks, begin, std::min(in.columns, begin + kQuantizeColumns),
                       in.data, in.stride);
      }
    }
    for (const WeightProductOp& op : ops) {
      const QuantizedInput& input = input_of(op.weights.type);
      const int step = panels_at_a_time(op.weights, threads_);
#pragma omp for schedule(dynamic) nowait
      for (int begin = 0; begin < op.weights.panels(); begin += step)
        for (int tile = 0; tile < input.tiles(); ++tile)
          multiply_panels(
              op.weights, input.tile(tile), begin, std::min(op.weights.panels(), begin + step),
              op.out + static_cast<size_t>(tile) * kTileRows * op.out_stride, op.out_stride);
    }
  }
}

}  // namespace polyphon
