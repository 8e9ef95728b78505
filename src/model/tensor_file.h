// Small GGUF files of our own: named F32 tensors, strings and numbers (heads of a model, adapters,
// the tiny models of tests; not a served model's weights, for which see weight_file.h). Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace polyphon {

struct NamedTensor {
  std::vector<int64_t> shape;  // rows first; the product is values.size()
  std::vector<float> values;
};

struct TensorFile {
  std::map<std::string, std::string> strings;  // general.architecture among them
  std::map<std::string, NamedTensor> tensors;
  std::map<std::string, float> floats = {};       // GGUF's float32
  std::map<std::string, uint32_t> integers = {};  // GGUF's uint32
};

// Throws Error{kNotFound} for no file, Error{kInvalidArgument}: not a GGUF, truncated, a tensor
// that is not F32. Keys of other types than these three are left out.
TensorFile read_tensor_file(const std::string& path);
// Writes beside `path` and renames, so that a reader sees the old file or the new one. Throws
// Error{kInternal}.
void write_tensor_file(const std::string& path, const TensorFile& file);

}  // namespace polyphon
