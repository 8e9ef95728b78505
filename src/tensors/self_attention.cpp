#include "tensors/self_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "simd/attention_rows.h"

namespace polyphon {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// Queries whose shares exist at a time: with their keys they stay within the core's cache.
constexpr int64_t kQueries = 128;

struct Plan : torch::CustomClassHolder {
  Plan(const ModelShape& shape, const RopeTable& table, const std::vector<Segment>& segments,
       const std::vector<Tensor>& masks, RowRoute route)
      : shape(shape),
        table(table),
        rows(row_operations(route)),
        scale(1 / std::sqrt(static_cast<double>(shape.head_size))) {
    for (size_t i = 0; i < segments.size(); ++i)
      places.push_back({segments[i].begin, segments[i].end, masks[i].defined()});
  }
  int64_t group() const { return shape.heads / shape.kv_heads; }

  struct Place {
    int64_t begin, end;
    bool masked;
  };
  const ModelShape shape;
  const RopeTable table;
  const RowOperations& rows;
  const double scale;
  std::vector<Place> places;
};
using PlanPtr = c10::intrusive_ptr<Plan>;

// A block of queries of one segment, and the keys that any of them sees.
struct Block {
  int64_t begin;    // the segment's first row
  int64_t first;    // query, counted from there
  int64_t queries;  // in the block
  int64_t keys;     // a multiple of kKeyMultiple; the last may be rows of the next segment
  Tensor mask;      // [size, keys or more] of the segment, or undefined
  size_t mask_index;
};

template <typename Visit>
void for_blocks(const Plan& plan, const at::TensorList masks, Visit visit) {
  constexpr auto kMultiple = static_cast<int64_t>(kKeyMultiple);
  size_t mask_index = 0;
  for (const auto& place : plan.places) {
    Tensor mask;
    if (place.masked)  // filled up to whole vectors: those columns are not seen
      mask = at::constant_pad_nd(masks[mask_index].detach(), {0, kMultiple}).contiguous();
    for (int64_t first = 0; first < place.end - place.begin; first += kQueries) {
      const int64_t queries = std::min(kQueries, place.end - place.begin - first);
      const int64_t keys = (first + queries + kMultiple - 1) / kMultiple * kMultiple;
      visit(Block{place.begin, first, queries, keys, mask, mask_index});
    }
    if (place.masked) ++mask_index;
  }
}

// [kv_heads, queries * group, head_size] of a [kv_heads, rows, group, head_size].
Tensor queries_of(const Tensor& all, const Block& block) {
  return all.narrow(1, block.begin + block.first, block.queries).flatten(1, 2);
}
Tensor keys_of(const Tensor& all, const Block& block) {
  return all.narrow(1, block.begin, block.keys);
}

// Softmax of the scores of a block: [kv_heads, queries * group, keys]. Scores are of the sum type:
// a product rounded to bfloat16 would be off by a hundredth where scores are large.
Tensor shares_of(const Plan& plan, const Block& block, const Tensor& q, const Tensor& k,
                 torch::ScalarType type) {
  const Tensor scores = at::bmm(queries_of(q, block), keys_of(k, block).transpose(1, 2));
  return plan.rows.softmax(
      scores, {block.first, block.queries, plan.group(), plan.scale, block.mask}, type);
}

// The mask is added after the scale, to the scores of all heads.
void add_mask_gradient(const Plan& plan, const Block& block, const Tensor& scores_g,
                       const Tensor& mask_g) {
  const Tensor sum = scores_g.to(mask_g.scalar_type())
                         .view({-1, block.queries, plan.group(), block.keys})
                         .sum(at::IntArrayRef{0, 2});
  const int64_t keys = std::min(block.keys, mask_g.size(1));
  mask_g.narrow(0, block.first, block.queries)
      .narrow(1, 0, keys)
      .add_(sum.narrow(1, 0, keys), 1 / plan.scale);
}

class SelfAttention : public Function<SelfAttention> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& qkv, at::TensorList masks,
                        const PlanPtr& plan) {
    const int64_t rows = qkv.size(0);
    const auto type = qkv.scalar_type();
    const HeadParts parts =
        plan->rows.turn(qkv, plan->table, plan->shape, static_cast<int64_t>(kKeyMultiple));

    const Tensor q = parts.q.to(sum_of(qkv)), k = parts.k.to(sum_of(qkv));
    const Tensor out = torch::empty(
        {rows, plan->shape.kv_heads, plan->group(), plan->shape.head_size}, qkv.options());
    for_blocks(*plan, masks, [&](const Block& block) {
      const Tensor result = at::bmm(shares_of(*plan, block, q, k, type), keys_of(parts.v, block));
      out.narrow(0, block.begin + block.first, block.queries)
          .transpose(0, 1)
          .copy_(result.unflatten(1, {block.queries, plan->group()}));
    });
    variable_list saved{parts.q, parts.k, parts.v};
    saved.insert(saved.end(), masks.begin(), masks.end());
    context->save_for_backward(std::move(saved));
    context->saved_data["plan"] = c10::IValue::make_capsule(plan);
    return out.flatten(1);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto plan =
        c10::static_intrusive_pointer_cast<Plan>(context->saved_data["plan"].toCapsule());
    const variable_list saved = context->get_saved_variables();
    const HeadParts parts{saved[0], saved[1], saved[2]};
    const at::TensorList masks(saved.data() + 3, saved.size() - 3);
    const auto type = parts.q.scalar_type(), sums = sum_of(parts.q);
    const Tensor q = parts.q.to(sums), k = parts.k.to(sums);
    const Tensor out_g = gradients[0]  // [kv_heads, rows, group, head_size]
                             .view({-1, plan->shape.kv_heads, plan->group(), plan->shape.head_size})
                             .transpose(0, 1)
                             .contiguous();
    const Tensor q_g = torch::empty_like(parts.q);
    const Tensor k_g = torch::zeros_like(k), v_g = torch::zeros_like(k);
    variable_list mask_gs;
    for (const Tensor& mask : masks)
      mask_gs.push_back(mask.requires_grad() ? torch::zeros_like(mask) : Tensor());

    for_blocks(*plan, masks, [&](const Block& block) {
      const Tensor shares = shares_of(*plan, block, q, k, type);
      const Tensor block_g = queries_of(out_g, block);
      keys_of(v_g, block).add_(at::bmm(shares.transpose(1, 2), block_g));
      const Tensor shares_g = at::bmm(block_g, keys_of(parts.v, block).transpose(1, 2));
      const Tensor scores_g = plan->rows.softmax_gradient(shares, shares_g, plan->scale);
      if (block.mask.defined() && masks[block.mask_index].requires_grad())
        add_mask_gradient(*plan, block, scores_g, mask_gs[block.mask_index]);
      queries_of(q_g, block).copy_(at::bmm(scores_g, keys_of(parts.k, block)));
      keys_of(k_g, block).add_(at::bmm(scores_g.transpose(1, 2), queries_of(parts.q, block)));
    });
    const Tensor qkv_g =
        plan->rows.turn_back({q_g, k_g.to(type), v_g.to(type)}, plan->table, plan->shape);
    variable_list result{qkv_g};
    result.insert(result.end(), mask_gs.begin(), mask_gs.end());
    result.resize(result.size() + 1);  // plan
    return result;
  }
};

}  // namespace

RopeTable make_rope_table(const BaseWeights& weights, const std::vector<Position>& positions) {
  const ModelShape& shape = weights.shape;
  // On the CPU, whose cosines are then every device's. As ggml computes them: the frequency in
  // float, base^(-2 i / rope_size), over the factor.
  const int64_t half = shape.rope_size / 2;
  Tensor frequencies = torch::pow(
      static_cast<double>(shape.rope_base),
      torch::arange(half, torch::kDouble).mul_(-2.0 / static_cast<double>(shape.rope_size)));
  if (weights.rope_factors.defined()) frequencies = frequencies / weights.rope_factors;
  const Tensor at =
      torch::tensor(std::vector<int64_t>(positions.begin(), positions.end()), torch::kDouble);
  const Tensor angles = at.mul(shape.rope_scale).unsqueeze(1).mul(frequencies);  // [rows, half]
  const Tensor cosine = angles.cos(), sine = angles.sin();
  // The two numbers of a pair stand beside each other, or in one half each.
  const int64_t pair = shape.rope_pairs == RopePairs::kNeighbours ? 2 : 1;
  const auto& kind = weights.output_norm.options();
  return {at::stack({cosine, cosine}, pair).flatten(1).to(kind),
          at::stack({-sine, sine}, pair).flatten(1).to(kind)};
}

Tensor attention_mask(const Segment& segment, const Tensor& bias, const at::TensorOptions& kind) {
  if (!segment.visibility && !bias.defined()) return {};
  const int size = segment.end - segment.begin;
  Tensor mask = torch::full({size, size}, -std::numeric_limits<double>::infinity(), torch::kFloat);
  for (int row = 0; row < size; ++row) {
    float* const values = mask.data_ptr<float>() + static_cast<int64_t>(row) * size;
    for (int column = 0; column <= row; ++column)
      if (!segment.visibility || segment.visibility->sees(row, column)) values[column] = 0;
  }
  return bias.defined() ? mask.to(kind) + bias.to(kind) : mask.to(kind);
}

Tensor self_attention(const Tensor& qkv, const RopeTable& table, const ModelShape& shape,
                      const std::vector<Segment>& segments, const std::vector<Tensor>& masks,
                      RowRoute route) {
  variable_list there;
  for (const Tensor& mask : masks)
    if (mask.defined()) there.push_back(mask);
  return SelfAttention::apply(qkv, at::TensorList(there),
                              c10::make_intrusive<Plan>(shape, table, segments, masks, route));
}

}  // namespace polyphon
