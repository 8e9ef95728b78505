// The elementwise parts of a layer as one pass over memory each: with bfloat16's products near the
// peak of the core, passes over rows would take as long as the products. A call computes rows
// [begin, end) alone, so that rows may be divided among threads. Pointers are to contiguous rows,
// of the row type where nothing else is said; no torch.
#pragma once

#include "simd/row_type.h"

namespace polyphon {

// sum = x + delta; out = sum / rms(sum) * weight.
struct NormRows {
  RowType type;
  const void* x;       // [rows, size], sum type
  const void* delta;   // [rows, size], or null
  const void* weight;  // [size], sum type
  double epsilon;
  size_t size;
  void* sum;     // [rows, size], sum type; null without delta
  void* factor;  // [rows], sum type: 1 / rms
  void* out;     // [rows, size]
};
void norm_rows(const NormRows& rows, int64_t begin, int64_t end);

struct NormGradientRows {
  RowType type;
  const void* out_gradient;  // [rows, size]
  const void* sum_gradient;  // [rows, size], sum type, or null: of sum by its other uses
  const void* sum;           // [rows, size], sum type
  const void* weight;        // [size], sum type
  const void* factor;        // [rows], sum type
  size_t size;
  void* x_gradient;      // [rows, size], sum type
  void* delta_gradient;  // [rows, size], or null
};
void norm_gradient_rows(const NormGradientRows& rows, int64_t begin, int64_t end);

// out = silu(gate) * up of [rows, gate | up].
struct SwigluRows {
  RowType type;
  const void* gate_up;       // [rows, 2 size]
  const void* out_gradient;  // [rows, size]; of the gradient alone
  size_t size;
  void* out;  // [rows, size]; of the gradient [rows, 2 size]
};
void swiglu_rows(const SwigluRows& rows, int64_t begin, int64_t end);
void swiglu_gradient_rows(const SwigluRows& rows, int64_t begin, int64_t end);

// log softmax(logits) at a target.
struct TargetRows {
  RowType type;
  void* logits;            // [rows, size]; replaced by the gradient of `logprobs` if it is wanted
  const int64_t* targets;  // [rows]
  size_t size;
  bool gradient;
  void* logprobs;  // [rows], sum type
};
void target_rows(const TargetRows& rows, int64_t begin, int64_t end);

}  // namespace polyphon
