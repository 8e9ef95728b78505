#include "attention/attention_node.h"

#include <cstring>
#include <optional>

#include "simd/span_kernels.h"

namespace polyphon {
namespace {

constexpr int64_t kMostHeadSize = 256;

std::optional<KvType> kv_type(ggml_type type) {
  switch (type) {
    case GGML_TYPE_F32:
      return KvType::kF32;
    case GGML_TYPE_F16:
      return KvType::kF16;
    case GGML_TYPE_BF16:
      return KvType::kBF16;
    case GGML_TYPE_Q8_0:
      return KvType::kQ80;
    default:
      return std::nullopt;
  }
}

// Vectors of every width divide multiples of 16.
bool size_is_taken(const ggml_tensor* tensor) {
  return tensor->ne[0] % 16 == 0 && tensor->ne[0] >= 64 && tensor->ne[0] <= kMostHeadSize &&
         tensor->nb[0] == ggml_type_size(tensor->type);
}

KvTensor kv_tensor(const ggml_tensor* tensor) {
  return {*kv_type(tensor->type), static_cast<const std::byte*>(tensor->data), tensor->nb[1],
          tensor->nb[2]};
}

float parameter(const ggml_tensor* node, size_t index) {
  float value = 0;
  std::memcpy(&value, reinterpret_cast<const char*>(node->op_params) + index * sizeof value,
              sizeof value);
  return value;
}

}  // namespace

bool takes_attention(const ggml_tensor* node) {
  if (!span_kernels_are_fast()) return false;
  const ggml_tensor *q = node->src[0], *k = node->src[1], *v = node->src[2], *mask = node->src[3],
                    *sinks = node->src[4];
  if (q->type != GGML_TYPE_F32 || !kv_type(k->type) || !kv_type(v->type)) return false;
  if (!size_is_taken(q) || !size_is_taken(k) || !size_is_taken(v)) return false;
  // One sequence of cells for all rows; heads in equal groups.
  if (q->ne[3] != 1 || k->ne[3] != 1 || v->ne[3] != 1) return false;
  if (k->ne[2] != v->ne[2] || k->ne[1] != v->ne[1] || q->ne[2] % k->ne[2] != 0) return false;
  if (mask && (mask->type != GGML_TYPE_F16 || mask->ne[2] != 1 || mask->ne[3] != 1)) return false;
  return !sinks || sinks->type == GGML_TYPE_F32;
}

AttentionOp attention_op(const ggml_tensor* node) {
  const ggml_tensor *q = node->src[0], *k = node->src[1], *v = node->src[2], *mask = node->src[3],
                    *sinks = node->src[4];
  AttentionOp op;
  op.rows = static_cast<int>(q->ne[1]);
  op.cells = static_cast<int>(k->ne[1]);
  op.heads = static_cast<int>(q->ne[2]);
  op.kv_heads = static_cast<int>(k->ne[2]);
  op.key_size = static_cast<int>(k->ne[0]);
  op.value_size = static_cast<int>(v->ne[0]);
  op.queries = static_cast<const std::byte*>(q->data);
  op.query_row_stride = q->nb[1];
  op.query_head_stride = q->nb[2];
  op.keys = kv_tensor(k);
  op.values = kv_tensor(v);
  if (mask) {
    op.mask = static_cast<const uint16_t*>(mask->data);
    op.mask_row_stride = mask->nb[1] / sizeof(uint16_t);
  }
  if (sinks) op.sinks = static_cast<const float*>(sinks->data);
  op.out = static_cast<float*>(node->data);
  op.scale = parameter(node, 0);
  op.max_bias = parameter(node, 1);
  op.softcap = parameter(node, 2);
  return op;
}

}  // namespace polyphon
