// Rows on any device, by libtorch's operations. Each is computed in the sum type, as the fused
// kernels do.
#include <limits>

#include "tensors/row_operations.h"

namespace polyphon {
namespace {

using torch::Tensor;

Tensor wide(const Tensor& x) { return x.to(sum_of(x)); }

// The first rope_size numbers of heads [rows, heads, head_size]; `direction` -1 turns back.
Tensor turned(const Tensor& heads, const RopeTable& table, const ModelShape& shape,
              double direction) {
  const int64_t size = shape.rope_size;
  const Tensor x = wide(heads.narrow(2, 0, size));
  const Tensor partner = shape.rope_pairs == RopePairs::kNeighbours
                             ? x.unflatten(2, {size / 2, 2}).flip(3).flatten(2)
                             : x.roll(size / 2, 2);
  const Tensor result =
      x * table.cosine.unsqueeze(1) + partner * (table.sine.unsqueeze(1) * direction);
  return at::cat({result.to(heads.scalar_type()), heads.slice(2, size)}, 2);
}

// [kv_heads, rows, ...] to [rows, heads, head_size], without what fills the rows up.
Tensor by_row(const Tensor& part, int64_t rows, const ModelShape& shape) {
  return part.narrow(1, 0, rows).transpose(0, 1).reshape({rows, -1, shape.head_size});
}

// -infinity where a key is after the query's own.
Tensor unseen(const ScoreBlock& block, int64_t keys, const at::TensorOptions& options) {
  const auto whole = options.dtype(torch::kLong);
  const Tensor own = torch::arange(block.first, block.first + block.queries, whole).unsqueeze(1);
  return torch::zeros({block.queries, keys}, options)
      .masked_fill_(torch::arange(keys, whole).gt(own), -std::numeric_limits<double>::infinity());
}

class PlainRows : public RowOperations {
 public:
  Normed norm(const Tensor& x, const Tensor& delta, const Tensor& weight, double epsilon,
              torch::ScalarType type) const override {
    const Tensor sum = delta.defined() ? x + delta : x;
    const Tensor factor = sum.square().mean(1).add_(epsilon).rsqrt_();
    return {sum, factor, (sum * factor.unsqueeze(1)).mul_(weight).to(type)};
  }
  NormGradients norm_gradients(const Tensor& out_gradient, const Tensor& sum_gradient,
                               const Tensor& sum, const Tensor& factor, const Tensor& weight,
                               bool with_delta) const override {
    // With n = sum factor: dx = factor (g w - n mean(g w n)).
    const Tensor weighted = wide(out_gradient) * weight, by = factor.unsqueeze(1);
    const Tensor share = (weighted * sum).mean(1, /*keepdim=*/true) * by.square();
    Tensor x = (weighted - sum * share) * by;
    if (sum_gradient.defined()) x = x + sum_gradient;
    return {x, with_delta ? x.to(out_gradient.scalar_type()) : Tensor()};
  }

  Tensor swiglu(const Tensor& gate_up) const override {
    const auto parts = wide(gate_up).chunk(2, 1);
    return (at::silu(parts[0]) * parts[1]).to(gate_up.scalar_type());
  }
  Tensor swiglu_gradient(const Tensor& gate_up, const Tensor& out_gradient) const override {
    const auto parts = wide(gate_up).chunk(2, 1);
    const Tensor &gate = parts[0], &up = parts[1], g = wide(out_gradient);
    const Tensor share = gate.sigmoid(), silu = gate * share;
    const Tensor slope = share + silu - silu * share;
    return at::cat({g * up * slope, g * silu}, 1).to(gate_up.scalar_type());
  }

  Tensor target_logprobs(const Tensor& logits, const Tensor& targets,
                         bool gradient) const override {
    const Tensor all = wide(logits).log_softmax(1), places = targets.unsqueeze(1);
    const Tensor logprobs = all.gather(1, places).squeeze(1);
    // d log p_target / d logits = onehot - softmax.
    if (gradient)
      Tensor(logits).copy_(
          all.exp().neg_().scatter_add_(1, places, torch::ones_like(places, all.options())));
    return logprobs;
  }

  HeadParts turn(const Tensor& together, const RopeTable& table, const ModelShape& shape,
                 int64_t filling) const override {
    const Tensor heads = together.unflatten(1, {-1, shape.head_size});
    const auto parts = heads.split_with_sizes({shape.heads, shape.kv_heads, shape.kv_heads}, 1);
    const auto filled = [&](const Tensor& part) {  // [rows, kv_heads, ...]
      std::vector<int64_t> padding(2 * static_cast<size_t>(part.dim()));
      padding.back() = filling;
      return at::constant_pad_nd(part, padding).transpose(0, 1).contiguous();
    };
    const Tensor q = turned(parts[0], table, shape, 1).unflatten(1, {shape.kv_heads, -1});
    return {filled(q), filled(turned(parts[1], table, shape, 1)), filled(parts[2])};
  }
  Tensor turn_back(const HeadParts& parts, const RopeTable& table,
                   const ModelShape& shape) const override {
    const int64_t rows = table.cosine.size(0);
    return at::cat({turned(by_row(parts.q, rows, shape), table, shape, -1),
                    turned(by_row(parts.k, rows, shape), table, shape, -1),
                    by_row(parts.v, rows, shape)},
                   1)
        .flatten(1);
  }

  Tensor softmax(const Tensor& scores, const ScoreBlock& block,
                 torch::ScalarType type) const override {
    const int64_t keys = scores.size(2);
    Tensor mask = unseen(block, keys, scores.options());
    if (block.mask.defined())
      mask.add_(block.mask.narrow(0, block.first, block.queries).narrow(1, 0, keys));
    const Tensor shares = scores.unflatten(1, {block.queries, block.group})
                              .mul(block.scale)
                              .add_(mask.unsqueeze(1))
                              .softmax(-1);
    return shares.flatten(1, 2).to(type);
  }
  Tensor softmax_gradient(const Tensor& shares, const Tensor& gradient,
                          double scale) const override {
    const Tensor share = wide(shares), g = wide(gradient);
    const Tensor mean = (share * g).sum(2, /*keepdim=*/true);
    return (share * scale * (g - mean)).to(gradient.scalar_type());
  }
};

}  // namespace

const RowOperations& plain_rows() {
  static const PlainRows rows;
  return rows;
}

}  // namespace polyphon
