// Passes over a row of logits, vectorised for the CPU at run time (Google Highway). Pure functions;
// any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/token.h"

namespace polyphon {

inline constexpr size_t kLogitBlock = 128;

// Makes every NaN -infinity and every infinity finite or -infinity, so that comparisons are total.
// Fills `maxima` with the maximum of each block of kLogitBlock; returns the maximum of all.
float clean_and_block_maxima(std::span<float> logits, std::vector<float>& maxima);

// Indices of the logits at or above `threshold`, ascending. `maxima` of clean_and_block_maxima lets
// whole blocks be passed over.
void collect_at_least(std::span<const float> logits, const std::vector<float>& maxima,
                      float threshold, std::vector<Token>& indices);

// log of the sum of exp(logit), given the maximum.
float log_sum_exp(std::span<const float> logits, float maximum);

}  // namespace polyphon
