// What a layer computes between its products, on tensors: the one place where a CPU's fused kernels
// and another device's operations part. Neither differentiates anything; the gradients are here
// too, and who calls them is the same for both.
#pragma once

#include "model/weight_file.h"
#include "tensors/torch.h"

namespace polyphon {

// kFused: row_kernels.h and attention_kernels.h, one pass over memory each, of tensors on the CPU.
// kPlain: libtorch's own operations, on any device.
enum class RowRoute { kFused, kPlain };
inline RowRoute route_for(const torch::Device& device) {
  return device.is_cpu() ? RowRoute::kFused : RowRoute::kPlain;
}

// The type that rows of `tensor`'s type are summed in (row_type.h).
inline torch::ScalarType sum_of(const torch::Tensor& tensor) {
  return tensor.scalar_type() == torch::kDouble ? torch::kDouble : torch::kFloat;
}

// Angles of RoPE (Su et al. 2021, arXiv:2104.09864), one for each number of a head, so that a head
// is turned by x cosine + partner sine: the sign of the turn is within the sine.
struct RopeTable {
  torch::Tensor cosine;  // [rows, rope_size], sum type
  torch::Tensor sine;
};

// Queries, keys and values by key head; rows after the batch's last may fill them up.
struct HeadParts {
  torch::Tensor q;  // [kv_heads, rows, group, head_size]
  torch::Tensor k;  // [kv_heads, rows, head_size]
  torch::Tensor v;
};

// Which queries scores [kv_heads, queries * group, keys] are of. A query sees keys up to its own.
struct ScoreBlock {
  int64_t first;    // the first query's own key
  int64_t queries;  // each has `group` rows, one a head
  int64_t group;
  double scale;        // of scores
  torch::Tensor mask;  // [keys of the segment, keys or more], sum type: added; or undefined
};

class RowOperations {
 public:
  virtual ~RowOperations() = default;

  struct Normed {
    torch::Tensor sum;     // x + delta, or x itself without `delta`
    torch::Tensor factor;  // [rows], sum type: 1 / rms(sum)
    torch::Tensor out;     // sum factor weight, of `type`
  };
  virtual Normed norm(const torch::Tensor& x, const torch::Tensor& delta,
                      const torch::Tensor& weight, double epsilon,
                      torch::ScalarType type) const = 0;
  // By x, of the sum type, and the same by delta of out's type: undefined without `with_delta`.
  // `sum_gradient`: of `sum` by its other uses, or undefined.
  struct NormGradients {
    torch::Tensor x, delta;
  };
  virtual NormGradients norm_gradients(const torch::Tensor& out_gradient,
                                       const torch::Tensor& sum_gradient, const torch::Tensor& sum,
                                       const torch::Tensor& factor, const torch::Tensor& weight,
                                       bool with_delta) const = 0;

  // silu(gate) * up of [rows, gate | up].
  virtual torch::Tensor swiglu(const torch::Tensor& gate_up) const = 0;
  virtual torch::Tensor swiglu_gradient(const torch::Tensor& gate_up,
                                        const torch::Tensor& out_gradient) const = 0;

  // log softmax(logits) at each row's target; `logits` then hold its gradient if that is wanted.
  virtual torch::Tensor target_logprobs(const torch::Tensor& logits, const torch::Tensor& targets,
                                        bool gradient) const = 0;

  // Rows [rows, heads q | kv_heads k | kv_heads v] to parts with `filling` more rows, of which k
  // and v are zero; queries and keys are turned. And back, as its gradient: a turn is orthogonal.
  virtual HeadParts turn(const torch::Tensor& together, const RopeTable& table,
                         const ModelShape& shape, int64_t filling) const = 0;
  virtual torch::Tensor turn_back(const HeadParts& parts, const RopeTable& table,
                                  const ModelShape& shape) const = 0;

  // Softmax of scores, which it may use up, of `type`.
  virtual torch::Tensor softmax(const torch::Tensor& scores, const ScoreBlock& block,
                                torch::ScalarType type) const = 0;
  // By scores before `scale` and mask, of the gradient by shares, which it may use up.
  virtual torch::Tensor softmax_gradient(const torch::Tensor& shares, const torch::Tensor& gradient,
                                         double scale) const = 0;
};

const RowOperations& fused_rows();
const RowOperations& plain_rows();
inline const RowOperations& row_operations(RowRoute route) {
  return route == RowRoute::kFused ? fused_rows() : plain_rows();
}

}  // namespace polyphon
