#include "weights/weight_buffer.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "base/check.h"
#include "base/huge_pages.h"
#include "simd/weight_kernels.h"
#include "weights/pack_panels.h"

namespace polyphon {
namespace {

constexpr size_t kAlignment = 64;
constexpr const char* kName = "Span_Weights";

// An adapter's matrices by libllama's names. Those of an embedding are not for products alone: its
// rows are looked up.
bool is_of_adapter(const ggml_tensor* tensor) {
  const std::string_view name(tensor->name);
  return (name.ends_with(".lora_a") || name.ends_with(".lora_b")) &&
         !name.starts_with("token_embd");
}

std::optional<WeightType> weight_type(const ggml_tensor* tensor) {
  switch (tensor->type) {
    case GGML_TYPE_F32:
      return is_of_adapter(tensor) ? std::optional(WeightType::kF32) : std::nullopt;
    case GGML_TYPE_F16:
      return is_of_adapter(tensor) ? std::optional(WeightType::kF16) : std::nullopt;
    case GGML_TYPE_Q4_0:
      return WeightType::kQ40;
    case GGML_TYPE_Q4_1:
      return WeightType::kQ41;
    case GGML_TYPE_Q5_0:
      return WeightType::kQ50;
    case GGML_TYPE_Q8_0:
      return WeightType::kQ80;
    case GGML_TYPE_Q4_K:
      return WeightType::kQ4K;
    case GGML_TYPE_Q6_K:
      return WeightType::kQ6K;
    default:
      return std::nullopt;
  }
}

void set_tensor(ggml_backend_buffer_t, ggml_tensor* tensor, const void* data, size_t offset,
                size_t size) {
  POLYPHON_CHECK(offset == 0 && size == ggml_nbytes(tensor));
  const std::optional<PackedWeights> packed = packed_weights(tensor);
  POLYPHON_CHECK(packed.has_value());
  auto* const to = static_cast<std::byte*>(tensor->data);
#pragma omp parallel for schedule(static)
  for (int panel = 0; panel < packed->panels(); ++panel)
    pack_panels(*packed, data, panel, panel + 1, to);
}

// Of ggml's buffers in memory, before ours differ from it.
ggml_backend_buffer_i& plain_interface() {
  static ggml_backend_buffer_i interface{};
  return interface;
}

// libllama puts an adapter's tensors where the weights lie that they change, and does not ask. With
// one that we cannot pack their buffer becomes one of ggml's, before anything is in it.
ggml_status init_tensor(ggml_backend_buffer_t buffer, ggml_tensor* tensor) {
  if (!packed_weights(tensor)) {
    buffer->buft = ggml_backend_cpu_buffer_type();
    buffer->iface = plain_interface();
  }
  return GGML_STATUS_SUCCESS;
}

ggml_backend_buffer_t alloc_buffer(ggml_backend_buffer_type_t type, size_t size) {
  ggml_backend_buffer_t const buffer =
      ggml_backend_buft_alloc_buffer(ggml_backend_cpu_buffer_type(), size);
  if (!buffer) return nullptr;
  if (size > 0) wish_for_huge_pages(ggml_backend_buffer_get_base(buffer), size);
  plain_interface() = buffer->iface;
  buffer->buft = type;
  buffer->iface.init_tensor = init_tensor;
  buffer->iface.set_tensor = set_tensor;
  buffer->iface.get_tensor = nullptr;
  buffer->iface.cpy_tensor = nullptr;
  return buffer;
}

}  // namespace

ggml_backend_buffer_type_t weight_buffer_type() {
  static ggml_backend_buffer_type type = [] {
    ggml_backend_buffer_type made{};
    made.iface.get_name = [](ggml_backend_buffer_type_t) { return kName; };
    made.iface.alloc_buffer = alloc_buffer;
    made.iface.get_alignment = [](ggml_backend_buffer_type_t) { return kAlignment; };
    made.iface.get_alloc_size = [](ggml_backend_buffer_type_t, const ggml_tensor* tensor) {
      const std::optional<PackedWeights> packed = packed_weights(tensor);
      return packed ? packed->bytes() : ggml_nbytes(tensor);
    };
    return made;
  }();
  return &type;
}

std::optional<PackedWeights> packed_weights(const ggml_tensor* tensor) {
  const std::optional<WeightType> type = weight_type(tensor);
  if (!type || tensor->ne[2] != 1 || tensor->ne[3] != 1 || !ggml_is_contiguous(tensor) ||
      tensor->ne[0] % block_columns(*type) != 0 ||
      std::max(tensor->ne[0], tensor->ne[1]) > std::numeric_limits<int>::max() / 2)
    return std::nullopt;
  return PackedWeights{*type, static_cast<int>(tensor->ne[0]), static_cast<int>(tensor->ne[1]),
                       static_cast<const std::byte*>(tensor->data)};
}

bool takes_product(const ggml_tensor* node) {
  const ggml_tensor *weights = node->src[0], *in = node->src[1];
  return weight_kernels_are_fast() && weights->buffer &&
         weights->buffer->buft == weight_buffer_type() && packed_weights(weights) &&
         in->type == GGML_TYPE_F32 && in->nb[0] == sizeof(float) && in->ne[2] == 1 &&
         in->ne[3] == 1 && node->type == GGML_TYPE_F32;
}

}  // namespace polyphon
