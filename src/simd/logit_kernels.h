// Passes over a row of logits, vectorised for the CPU at run time (Google Highway). Pure functions;
// any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace polyphon {

inline constexpr size_t kLogitBlock = 128;

// Makes every NaN and infinity -infinity, so that comparisons are total. Fills `maxima` with the
// maximum of each block of kLogitBlock; returns the maximum of all, -infinity if none is finite.
float clean_and_block_maxima(std::span<float> logits, std::vector<float>& maxima);

// The rest takes logits that are clean, and `maxima` of clean_and_block_maxima, which lets whole
// blocks be passed over.

// Indices of the logits at or above `threshold`, ascending.
void collect_at_least(std::span<const float> logits, std::span<const float> maxima, float threshold,
                      std::vector<int32_t>& indices);

// Indices of the `count` greatest finite logits, greatest first, ties in order of index. The
// count-th greatest block maximum is a threshold that at least `count` logits reach, so that only
// few are sorted.
void collect_best(std::span<const float> logits, std::span<const float> maxima, size_t count,
                  std::vector<int32_t>& indices);

// Sum of exp((logit - maximum) * scale) over each block, into `sums`; returns the sum of all.
// `maximum` is the finite maximum of the logits, scale > 0.
double exp_block_sums(std::span<const float> logits, float maximum, float scale,
                      std::vector<float>& sums);

// Entropy of softmax(logits) in nats. `maximum` as above; `sum` is the sum of exp(logit - maximum)
// over all, as exp_block_sums gives it at scale 1.
double entropy_nats(std::span<const float> logits, float maximum, double sum);

}  // namespace polyphon
