// A random attention operation with its own memory, and what it must give, computed in double
// precision cell by cell.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <vector>

#include "base/random.h"
#include "simd/attention_op.h"

namespace polyphon {

inline uint16_t half_of(float value) {
  return std::bit_cast<uint16_t>(static_cast<_Float16>(value));
}
inline float float_of_half(uint16_t bits) {
  return static_cast<float>(std::bit_cast<_Float16>(bits));
}

struct AttentionShape {
  int rows = 1, cells = 64, heads = 3, kv_heads = 1, key_size = 64, value_size = 64;
  KvType key_type = KvType::kF16, value_type = KvType::kF16;
  float max_bias = 0, softcap = 0;
  bool sinks = false, masked = true;
  float magnitude = 1;  // of the queries
};

// The mask's value of a row and cell: 0, -infinity, or a bias.
using MaskValue = std::function<float(int row, int cell)>;

class AttentionCase {
 public:
  AttentionCase(const AttentionShape& shape, uint64_t seed, const MaskValue& mask) : random_(seed) {
    op.rows = shape.rows;
    op.cells = shape.cells;
    op.heads = shape.heads;
    op.kv_heads = shape.kv_heads;
    op.key_size = shape.key_size;
    op.value_size = shape.value_size;
    op.scale = 1 / std::sqrt(static_cast<float>(shape.key_size));
    op.max_bias = shape.max_bias;
    op.softcap = shape.softcap;
    const auto rows = static_cast<size_t>(shape.rows), cells = static_cast<size_t>(shape.cells),
               heads = static_cast<size_t>(shape.heads);
    queries_ = floats(rows * heads * static_cast<size_t>(shape.key_size), shape.magnitude);
    op.queries = reinterpret_cast<const std::byte*>(queries_.data());
    op.query_head_stride = static_cast<size_t>(shape.key_size) * sizeof(float);
    op.query_row_stride = op.query_head_stride * heads;
    op.keys = tensor(shape.key_type, shape.key_size, keys_, key_bytes_);
    op.values = tensor(shape.value_type, shape.value_size, values_, value_bytes_);
    if (shape.masked) {
      op.mask_row_stride = cells + 5;
      mask_.resize(rows * op.mask_row_stride);
      for (size_t r = 0; r < rows; ++r)
        for (size_t c = 0; c < cells; ++c)
          mask_[r * op.mask_row_stride + c] =
              half_of(mask(static_cast<int>(r), static_cast<int>(c)));
      op.mask = mask_.data();
    }
    if (shape.sinks) {
      sinks_ = floats(heads, 3);
      op.sinks = sinks_.data();
    }
    out.assign(rows * heads * static_cast<size_t>(shape.value_size),
               std::numeric_limits<float>::quiet_NaN());
    op.out = out.data();
  }
  AttentionCase(const AttentionCase&) = delete;
  AttentionCase& operator=(const AttentionCase&) = delete;

  std::vector<double> reference() const {
    std::vector<double> all;
    for (int row = 0; row < op.rows; ++row)
      for (int head = 0; head < op.heads; ++head) {
        const auto values = reference(row, head);
        all.insert(all.end(), values.begin(), values.end());
      }
    return all;
  }

  AttentionOp op;
  std::vector<float> out;

 private:
  std::vector<float> floats(size_t size, float magnitude) {
    std::vector<float> values(size);
    for (float& value : values)
      value = magnitude *
              static_cast<float>(random_.uniform() + random_.uniform() + random_.uniform() - 1.5) *
              2;
    return values;
  }

  // Fills `floats` with what the stored elements stand for, [size, kv_heads, cells].
  KvTensor tensor(KvType type, int size, std::vector<float>& exact, std::vector<std::byte>& bytes) {
    const auto elements = static_cast<size_t>(size) * static_cast<size_t>(op.kv_heads);
    exact = floats(elements * static_cast<size_t>(op.cells), 1);
    const size_t block = type == KvType::kQ80 ? 32 : 1;
    const size_t block_bytes = type == KvType::kQ80 ? 34 : type == KvType::kF32 ? 4 : 2;
    bytes.resize(exact.size() / block * block_bytes);
    for (size_t i = 0; i < exact.size(); i += block)
      store(type, &exact[i], bytes.data() + i / block * block_bytes);
    KvTensor made{type, bytes.data(), elements / block * block_bytes,
                  static_cast<size_t>(size) / block * block_bytes};
    return made;
  }

  // Stores one block and rounds `exact` to it.
  static void store(KvType type, float* exact, std::byte* to) {
    switch (type) {
      case KvType::kF32:
        std::memcpy(to, exact, 4);
        return;
      case KvType::kF16: {
        const uint16_t bits = half_of(*exact);
        std::memcpy(to, &bits, 2);
        *exact = float_of_half(bits);
        return;
      }
      case KvType::kBF16: {
        const auto bits = static_cast<uint16_t>(std::bit_cast<uint32_t>(*exact) >> 16);
        std::memcpy(to, &bits, 2);
        *exact = std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
        return;
      }
      case KvType::kQ80: {
        float most = 0;
        for (int i = 0; i < 32; ++i) most = std::max(most, std::abs(exact[i]));
        const uint16_t scale = half_of(most / 127);
        std::memcpy(to, &scale, 2);
        for (int i = 0; i < 32; ++i) {
          const auto quant = static_cast<int8_t>(
              std::clamp(std::round(exact[i] / float_of_half(scale)), -127.0f, 127.0f));
          std::memcpy(to + 2 + i, &quant, 1);
          exact[i] = static_cast<float>(quant) * float_of_half(scale);
        }
        return;
      }
    }
  }

  std::vector<double> reference(int row, int head) const {
    const int kv_head = head / op.group();
    const auto element = [&](const std::vector<float>& of, int size, int cell) {
      return &of[(static_cast<size_t>(cell) * static_cast<size_t>(op.kv_heads) +
                  static_cast<size_t>(kv_head)) *
                 static_cast<size_t>(size)];
    };
    const double slope = op.max_bias > 0 ? alibi_slope(op, head) : 1;
    std::vector<double> scores(static_cast<size_t>(op.cells));
    double most = op.sinks ? op.sinks[head] : -std::numeric_limits<double>::infinity();
    for (int c = 0; c < op.cells; ++c) {
      double score = 0;
      for (int i = 0; i < op.key_size; ++i)
        score += static_cast<double>(op.query(row, head)[i]) * element(keys_, op.key_size, c)[i];
      score *= op.scale;
      if (op.softcap > 0) score = op.softcap * std::tanh(score / op.softcap);
      if (op.mask)
        score +=
            slope *
            float_of_half(
                op.mask[static_cast<size_t>(row) * op.mask_row_stride + static_cast<size_t>(c)]);
      scores[static_cast<size_t>(c)] = score;
      most = std::max(most, score);
    }
    std::vector<double> out(static_cast<size_t>(op.value_size));
    if (std::isinf(most)) return out;
    double sum = op.sinks ? std::exp(op.sinks[head] - most) : 0;
    for (int c = 0; c < op.cells; ++c) {
      const double weight = std::exp(scores[static_cast<size_t>(c)] - most);
      sum += weight;
      for (size_t i = 0; i < out.size(); ++i)
        out[i] += weight * element(values_, op.value_size, c)[i];
    }
    for (double& value : out) value /= sum;
    return out;
  }

  Random random_;
  std::vector<float> queries_, keys_, values_, sinks_;
  std::vector<std::byte> key_bytes_, value_bytes_;
  std::vector<uint16_t> mask_;
};

}  // namespace polyphon
