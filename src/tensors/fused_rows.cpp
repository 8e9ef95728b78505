// Rows on the CPU, by the kernels of row_kernels.h and attention_kernels.h.
#include "simd/attention_rows.h"
#include "simd/row_kernels.h"
#include "tensors/parallel_rows.h"
#include "tensors/row_operations.h"

namespace polyphon {
namespace {

using torch::Tensor;

TurnRows turn_of(const Tensor& together, const HeadParts& parts, const RopeTable& table,
                 const ModelShape& shape) {
  return {.type = row_type(together.scalar_type()),
          .rows = parts.k.size(1),
          .heads = shape.heads,
          .kv_heads = shape.kv_heads,
          .head_size = static_cast<size_t>(shape.head_size),
          .rope_size = static_cast<size_t>(shape.rope_size),
          .neighbours = shape.rope_pairs == RopePairs::kNeighbours,
          .cosine = table.cosine.const_data_ptr(),
          .sine = table.sine.const_data_ptr(),
          .together = together.data_ptr(),
          .q = parts.q.data_ptr(),
          .k = parts.k.data_ptr(),
          .v = parts.v.data_ptr()};
}

class FusedRows : public RowOperations {
 public:
  Normed norm(const Tensor& x, const Tensor& delta, const Tensor& weight, double epsilon,
              torch::ScalarType type) const override {
    const bool added = delta.defined();
    const Tensor wide = x.contiguous(), more = added ? delta.contiguous() : Tensor();
    const Tensor sum = added ? torch::empty_like(wide) : wide;
    const Tensor factor = torch::empty(x.size(0), wide.options());
    const Tensor out = torch::empty_like(wide, wide.options().dtype(type));
    in_parallel(norm_rows,
                {.type = row_type(type),
                 .x = wide.const_data_ptr(),
                 .delta = added ? more.const_data_ptr() : nullptr,
                 .weight = weight.const_data_ptr(),
                 .epsilon = epsilon,
                 .size = static_cast<size_t>(x.size(1)),
                 .sum = added ? sum.data_ptr() : nullptr,
                 .factor = factor.data_ptr(),
                 .out = out.data_ptr()},
                x.size(0));
    return {sum, factor, out};
  }
  NormGradients norm_gradients(const Tensor& out_gradient, const Tensor& sum_gradient,
                               const Tensor& sum, const Tensor& factor, const Tensor& weight,
                               bool with_delta) const override {
    const Tensor out_g = out_gradient.contiguous();
    const Tensor sum_g = sum_gradient.defined() ? sum_gradient.contiguous() : Tensor();
    const Tensor x_g = torch::empty_like(sum);
    Tensor delta_g;
    if (with_delta) delta_g = out_g.dtype() == sum.dtype() ? x_g : torch::empty_like(out_g);
    in_parallel(norm_gradient_rows,
                {.type = row_type(out_g.scalar_type()),
                 .out_gradient = out_g.const_data_ptr(),
                 .sum_gradient = sum_g.defined() ? sum_g.const_data_ptr() : nullptr,
                 .sum = sum.const_data_ptr(),
                 .weight = weight.const_data_ptr(),
                 .factor = factor.const_data_ptr(),
                 .size = static_cast<size_t>(sum.size(1)),
                 .x_gradient = x_g.data_ptr(),
                 .delta_gradient = with_delta ? delta_g.data_ptr() : nullptr},
                sum.size(0));
    return {x_g, delta_g};
  }

  Tensor swiglu(const Tensor& gate_up) const override {
    const int64_t size = gate_up.size(1) / 2;
    const Tensor out = torch::empty({gate_up.size(0), size}, gate_up.options());
    in_parallel(swiglu_rows,
                {.type = row_type(gate_up.scalar_type()),
                 .gate_up = gate_up.const_data_ptr(),
                 .out_gradient = nullptr,
                 .size = static_cast<size_t>(size),
                 .out = out.data_ptr()},
                gate_up.size(0));
    return out;
  }
  Tensor swiglu_gradient(const Tensor& gate_up, const Tensor& out_gradient) const override {
    const Tensor g = out_gradient.contiguous(), result = torch::empty_like(gate_up);
    in_parallel(swiglu_gradient_rows,
                {.type = row_type(gate_up.scalar_type()),
                 .gate_up = gate_up.const_data_ptr(),
                 .out_gradient = g.const_data_ptr(),
                 .size = static_cast<size_t>(g.size(1)),
                 .out = result.data_ptr()},
                g.size(0));
    return result;
  }

  Tensor target_logprobs(const Tensor& logits, const Tensor& targets,
                         bool gradient) const override {
    const Tensor logprobs = torch::empty({logits.size(0)}, logits.options().dtype(sum_of(logits)));
    in_parallel(target_rows,
                {.type = row_type(logits.scalar_type()),
                 .logits = logits.data_ptr(),
                 .targets = targets.const_data_ptr<int64_t>(),
                 .size = static_cast<size_t>(logits.size(1)),
                 .gradient = gradient,
                 .logprobs = logprobs.data_ptr()},
                logits.size(0));
    return logprobs;
  }

  HeadParts turn(const Tensor& together, const RopeTable& table, const ModelShape& shape,
                 int64_t filling) const override {
    const int64_t rows = together.size(0), all = rows + filling, heads = shape.kv_heads;
    const auto& options = together.options();
    const HeadParts parts = {
        torch::empty({heads, all, shape.heads / heads, shape.head_size}, options),
        torch::empty({heads, all, shape.head_size}, options),
        torch::empty({heads, all, shape.head_size}, options)};
    for (const Tensor& part : {parts.k, parts.v}) part.narrow(1, rows, filling).zero_();
    in_parallel(turn_rows, turn_of(together, parts, table, shape), rows);
    return parts;
  }
  Tensor turn_back(const HeadParts& parts, const RopeTable& table,
                   const ModelShape& shape) const override {
    const int64_t rows = table.cosine.size(0);
    const Tensor together = torch::empty(
        {rows, int64_t{shape.heads + 2 * shape.kv_heads} * shape.head_size}, parts.q.options());
    in_parallel(turn_back_rows, turn_of(together, parts, table, shape), rows);
    return together;
  }

  Tensor softmax(const Tensor& scores, const ScoreBlock& block,
                 torch::ScalarType type) const override {
    const Tensor shares = torch::empty(scores.sizes(), scores.options().dtype(type));
    in_parallel(softmax_rows,
                {.type = row_type(type),
                 .queries = block.queries,
                 .group = block.group,
                 .first = block.first,
                 .keys = static_cast<size_t>(scores.size(2)),
                 .scale = block.scale,
                 .mask = block.mask.defined() ? block.mask.const_data_ptr() : nullptr,
                 .mask_stride = block.mask.defined() ? static_cast<size_t>(block.mask.size(1)) : 0,
                 .scores = scores.data_ptr(),
                 .shares = shares.data_ptr()},
                scores.size(0) * scores.size(1));
    return shares;
  }
  Tensor softmax_gradient(const Tensor& shares, const Tensor& gradient,
                          double scale) const override {
    in_parallel(softmax_gradient_rows,
                {.type = row_type(shares.scalar_type()),
                 .keys = static_cast<size_t>(shares.size(2)),
                 .scale = scale,
                 .shares = shares.const_data_ptr(),
                 .gradient = gradient.data_ptr()},
                shares.size(0) * shares.size(1));
    return gradient;
  }
};

}  // namespace

const RowOperations& fused_rows() {
  static const FusedRows rows;
  return rows;
}

}  // namespace polyphon
