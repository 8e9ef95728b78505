// Kernels on rows, by all of libtorch's threads.
#pragma once

#include "simd/row_type.h"
#include "tensors/torch.h"

namespace polyphon {

inline RowType row_type(torch::ScalarType type) {
  if (type == torch::kBFloat16) return RowType::kBfloat16;
  return type == torch::kDouble ? RowType::kDouble : RowType::kFloat;
}

template <typename Rows>
void in_parallel(void (*kernel)(const Rows&, int64_t, int64_t),
                 const std::type_identity_t<Rows>& rows, int64_t count) {
  constexpr int64_t kLeast = 16;  // rows a thread: fewer are not worth waking it
  at::parallel_for(0, count, kLeast, [&](int64_t begin, int64_t end) { kernel(rows, begin, end); });
}

}  // namespace polyphon
