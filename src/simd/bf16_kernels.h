// Attention over bfloat16 cells with many queries, by AVX-512's dot products of bfloat16 pairs:
// half the instructions of floats, and cells are not converted. Queries and softmax weights are
// rounded to bfloat16 (ggml rounds the queries too); sums are floats. The machine is asked at run
// time. A "pair" is two bfloat16 in 32 bits, the first one low, kept where a float would be. Pure;
// any thread.
#pragma once

#include <cstddef>

#include "simd/cells_ahead.h"

namespace polyphon {

// Nothing below may be called where not.
bool has_bf16_kernels();

// Elements 2 i and 2 i + 1 of query q to pairs[i * stride + q]; `query` [size].
void pair_query(const float* query, size_t size, size_t stride, size_t q, float* pairs);

// scores[c * stride + q] = keys[c] . query q for all of `stride` queries, a multiple of 16.
void bf16_scores(const std::byte* const* keys, size_t count, const float* queries, size_t size,
                 size_t stride, float* scores, const CellsAhead& ahead);

// out[q] = correction[q] * out[q] + sum over c of weights[c * stride + q] * values[c], for
// `queries` queries. `pairs` is scratch: (size + stride) floats for every two cells.
void bf16_values(const std::byte* const* values, size_t count, size_t size, const float* weights,
                 size_t stride, const float* correction, float* const* out, size_t queries,
                 float* pairs, const CellsAhead& ahead);

}  // namespace polyphon
