#include "weights/weight_product.h"

#include <algorithm>

#include "simd/float_kernels.h"
#include "simd/weight_kernels.h"

namespace polyphon {
namespace {

// Columns that a thread quantises at a time.
constexpr int kQuantizeColumns = 256;

int panels_at_a_time(const PackedWeights& weights, int threads) {
  return std::max(1, weights.panels() / (threads * 16));
}

int tiles(const ProductInput& in) { return (in.rows + kTileRows - 1) / kTileRows; }

}  // namespace

// Panels [begin, end) with one tile of rows.
void WeightProduct::multiply(const ProductInput& in, const WeightProductOp& op, int tile, int begin,
                             int end) {
  const auto row = static_cast<size_t>(tile) * kTileRows;
  float* const out = op.out + row * op.out_stride;
  if (is_float(op.weights.type))
    multiply_float_panels(op.weights, in.data + row * in.stride, in.stride,
                          std::min(kTileRows, in.rows - static_cast<int>(row)), begin, end,
                          {out, op.out_stride, op.base ? op.base + row * op.base_stride : nullptr,
                           op.base_stride, op.scale});
  else
    multiply_panels(op.weights, input_of(op.weights.type).tile(tile), begin, end, out,
                    op.out_stride);
}

void WeightProduct::compute(const ProductInput& in, std::span<const WeightProductOp> ops) {
  bool wanted[2] = {};
  for (const WeightProductOp& op : ops)
    if (!is_float(op.weights.type)) wanted[block_columns(op.weights.type) == 256] = true;
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
      const int step = panels_at_a_time(op.weights, threads_), panels = op.weights.panels();
      // An adapter's first matrix is a panel or two: what is dealt out are tiles too.
      const int together = is_float(op.weights.type) ? 1 : tiles(in);
      const int runs = (panels + step - 1) / step, parts = tiles(in) / together;
#pragma omp for schedule(dynamic) nowait
      for (int work = 0; work < runs * parts; ++work) {
        const int begin = work / parts * step, first = work % parts * together;
        for (int tile = first; tile < first + together; ++tile)
          multiply(in, op, tile, begin, std::min(panels, begin + step));
      }
    }
  }
}

}  // namespace polyphon
