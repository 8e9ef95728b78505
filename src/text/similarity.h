// How alike two streams are: by what they say, and by the states they say it from.
#pragma once

#include <span>

#include "core/token.h"

namespace polyphon {

// Jaccard index of the two sets of n-grams; 0 when either has none.
double ngram_overlap(std::span<const Token> a, std::span<const Token> b, int n);

// 0 when either is all zero. The sizes must be equal.
double cosine(std::span<const float> a, std::span<const float> b);

}  // namespace polyphon
