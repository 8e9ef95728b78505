// What self-attention does beside its products, as row_kernels.h does for the rest of a layer: the
// turn of RoPE, which also lays heads out as the products take them, and softmax.
#pragma once

#include "simd/row_type.h"

namespace polyphon {

// Between a projection's rows [rows, heads q | kv_heads k | kv_heads v] and its parts by key head:
// q [kv_heads, rows, heads / kv_heads, head_size], k and v [kv_heads, rows, head_size].
struct TurnRows {
  RowType type;
  int64_t rows;
  int64_t heads;
  int64_t kv_heads;
  size_t head_size;
  size_t rope_size;  // the first numbers of a head are turned, the others copied
  bool neighbours;   // a pair is two neighbours, else one of each half
  // [rows, rope_size], sum type: out = x cosine + partner sine, the sign of the turn within sine.
  const void* cosine;
  const void* sine;
  void* together;  // [rows, (heads + 2 kv_heads) head_size]
  void* q;
  void* k;
  void* v;
};
void turn_rows(const TurnRows& rows, int64_t begin, int64_t end);       // together to parts
void turn_back_rows(const TurnRows& rows, int64_t begin, int64_t end);  // parts to together

// Scores of a block of queries, each of which has `group` rows, one a head. A query sees keys up to
// its own; columns after those of the last query fill its row up and are never seen.
struct SoftmaxRows {
  RowType type;
  int64_t queries;
  int64_t group;
  int64_t first;     // the first query's own key
  size_t keys;       // columns, a multiple of kKeyMultiple
  double scale;      // of scores
  const void* mask;  // [keys of the segment, mask_stride], sum type: added to scores; or null
  size_t mask_stride;
  void* scores;  // [rows, keys], sum type; used up
  void* shares;  // [rows, keys]
};
constexpr size_t kKeyMultiple = 16;
void softmax_rows(const SoftmaxRows& rows, int64_t begin, int64_t end);

// The gradient by scores before `scale` and mask, of the gradient by shares, in its place.
struct SoftmaxGradientRows {
  RowType type;
  size_t keys;
  double scale;
  const void* shares;  // [rows, keys]
  void* gradient;      // [rows, keys]
};
void softmax_gradient_rows(const SoftmaxGradientRows& rows, int64_t begin, int64_t end);

}  // namespace polyphon
