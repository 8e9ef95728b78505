// Training data as plain token sequences with the tokens that are learnt. Plain state, no torch.
//
// A line of the file: {"tokens": [...], "targets": [[begin, end, weight], ...]}. Tokens [begin,
// end) are targets: each is predicted from all before it and counts with the weight, negative to be
// made less likely.
#pragma once

#include <string>
#include <vector>

#include "core/token.h"

namespace polyphon {

struct TargetRange {
  int begin = 0;  // at least 1: something must stand before it
  int end = 0;
  float weight = 1;
};

struct Example {
  int line = 0;  // in the file, from 1
  Tokens tokens;
  std::vector<TargetRange> targets;
};

// Throws Error{kNotFound} for no file, Error{kInvalidArgument} with the line's number: not such an
// object, a token outside the vocabulary, a target outside the tokens, more tokens than
// `most_tokens`; a file without an example.
std::vector<Example> read_examples(const std::string& path, int vocabulary_size, int most_tokens);

}  // namespace polyphon
