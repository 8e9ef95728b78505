// Training data out of a file, a line an example (core/example.h). Plain state, no torch.
#pragma once

#include <string>
#include <vector>

#include "core/example.h"

namespace polyphon {

// Throws Error{kNotFound} for no file, Error{kInvalidArgument} with the line's number: what
// example_from_json() refuses, a token outside the vocabulary, more tokens than `most_tokens`; a
// file without an example.
std::vector<Example> read_examples(const std::string& path, int vocabulary_size, int most_tokens);

}  // namespace polyphon
