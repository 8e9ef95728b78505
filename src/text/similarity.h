// How similar two streams are: by their tokens, and by their hidden states. Pure functions.
#pragma once

#include <span>

#include "core/token.h"

namespace polyphon {

// Jaccard index of the two sets of n-grams; 0 if one of the sets is empty.
double ngram_overlap(std::span<const Token> a, std::span<const Token> b, int n);

// Cosine of the angle between two vectors of equal size; 0 if one of them is all zero.
double cosine(std::span<const float> a, std::span<const float> b);

}  // namespace polyphon
