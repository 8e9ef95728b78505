// Training data out of a file, a line an example (record/example.h). Plain state, no torch.
#pragma once

#include <string>
#include <vector>

#include "record/example.h"

namespace polyphon {

struct ExampleLimits {
  std::string model_digest;  // SHA-256 of the model that learns
  int vocabulary_size = 0;
  int most_tokens = 0;
};

// Throws Error{kNotFound} for no file, Error{kInvalidArgument} with the line's number: what
// example_from_json() refuses, a token outside the vocabulary, more tokens than may be; a file that
// says it is of another model, naming both digests; a file without an example.
std::vector<Example> read_examples(const std::string& path, const ExampleLimits& limits);

}  // namespace polyphon
