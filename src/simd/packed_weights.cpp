#include "simd/packed_weights.h"

namespace polyphon {

int block_columns(WeightType type) {
  if (is_float(type)) return 1;
  return type == WeightType::kQ4K || type == WeightType::kQ6K ? 256 : 32;
}

size_t packed_block_bytes(WeightType type) {
  switch (type) {
    case WeightType::kQ40:
      return kNibbleBytes + kHalfBytes;
    case WeightType::kQ41:
      return kNibbleBytes + 2 * kHalfBytes;
    case WeightType::kQ50:
      return kNibbleBytes + 64 + kHalfBytes;
    case WeightType::kQ80:
      return 2 * kNibbleBytes + kHalfBytes;
    case WeightType::kQ4K:
      return 8 * kNibbleBytes + size_t{16} * kPanelRows + 2 * kHalfBytes;
    case WeightType::kQ6K:
      return 8 * (kNibbleBytes + 128) + size_t{16} * kPanelRows + kHalfBytes;
    case WeightType::kF32:
      return kPanelRows * sizeof(float);
    case WeightType::kF16:
      return kHalfBytes;
  }
  return 0;
}

}  // namespace polyphon
