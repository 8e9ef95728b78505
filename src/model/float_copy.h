// A copy of a model file whose weights are F32: with it a comparison of kernels sees what they
// change, and not how 8-bit quantisation of the layers' inputs amplifies the last bit of a sum.
#pragma once

#include <string>

namespace polyphon {

// Blocks while it reads, dequantises and writes, about four bytes a weight. Throws Error.
void write_float_copy(const std::string& from, const std::string& to);

}  // namespace polyphon
