#include "weights/adapter_sum.h"

#include <array>
#include <cstring>

#include "weights/weight_buffer.h"

namespace polyphon {
namespace {

bool is_dense(const ggml_tensor* tensor) {
  return tensor->type == GGML_TYPE_F32 && ggml_is_contiguous(tensor);
}

bool is_product(const ggml_tensor* node) {
  return node->op == GGML_OP_MUL_MAT && takes_product(node) &&
         is_float(packed_weights(node->src[0])->type) && is_dense(node);
}

// ggml's SCALE multiplies by the first and adds the second.
std::array<float, 2> scale_and_bias(const ggml_tensor* factor) {
  std::array<float, 2> values;
  std::memcpy(values.data(), factor->op_params, sizeof values);
  return values;
}

bool is_factor(const ggml_tensor* node) {
  return node->op == GGML_OP_SCALE && is_product(node->src[0]) && is_dense(node) &&
         scale_and_bias(node)[1] == 0;
}

bool is_sum(const ggml_tensor* node) {
  return node->op == GGML_OP_ADD && is_factor(node->src[1]) && is_dense(node->src[0]) &&
         is_dense(node) && ggml_are_same_shape(node->src[0], node->src[1]);
}

bool overlap(const ggml_tensor* a, const ggml_tensor* b) {
  const auto *const first = static_cast<const char*>(a->data), *const second =
                                                                   static_cast<const char*>(
                                                                       b->data);
  return first < second + ggml_nbytes(b) && second < first + ggml_nbytes(a);
}

bool is_output(const ggml_tensor* node) { return (node->flags & GGML_TENSOR_FLAG_OUTPUT) != 0; }

}  // namespace

bool takes_adapter_node(const ggml_tensor* node) { return is_factor(node) || is_sum(node); }

void compute_adapter_node(const ggml_tensor* node) {
  const auto size = static_cast<size_t>(ggml_nelements(node));
  const auto* const in = static_cast<const float*>(node->src[0]->data);
  auto* const out = static_cast<float*>(node->data);
  if (node->op == GGML_OP_SCALE) {
    const float scale = scale_and_bias(node)[0];
    for (size_t i = 0; i < size; ++i) out[i] = scale * in[i];
  } else {
    const auto* const added = static_cast<const float*>(node->src[1]->data);
    for (size_t i = 0; i < size; ++i) out[i] = in[i] + added[i];
  }
}

std::optional<WeightProductOp> adapter_sum(const ggml_tensor* product, const ggml_tensor* factor,
                                           const ggml_tensor* sum) {
  if (!is_sum(sum) || sum->src[1] != factor || factor->src[0] != product || is_output(product) ||
      is_output(factor))
    return std::nullopt;
  // By now ggml may have given the input's memory to the sum.
  if (overlap(sum, product->src[1])) return std::nullopt;
  const ggml_tensor* const base = sum->src[0];
  return WeightProductOp{*packed_weights(product->src[0]), static_cast<float*>(sum->data),
                         sum->nb[1] / sizeof(float),       static_cast<const float*>(base->data),
                         base->nb[1] / sizeof(float),      scale_and_bias(factor)[0]};
}

}  // namespace polyphon
