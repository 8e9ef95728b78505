// A model of a few thousand random weights as a GGUF that libllama loads, for tests that compare
// with libllama in milliseconds. It has no tokenizer and its words mean nothing.
#pragma once

#include <string>

namespace polyphon {

struct TinyModel {
  std::string architecture = "llama";  // or "qwen2", "qwen3"
  int layers = 2;
  int hidden_size = 64;
  int feed_forward_size = 96;
  int heads = 4;
  int kv_heads = 2;
  int head_size = 16;
  int vocabulary_size = 128;
  bool tied_head = true;
  bool rope_factors = false;  // as Llama 3.1 has them
  float rope_scaling_factor = 1;
  unsigned seed = 1;
};

// Throws Error{kInternal} when it cannot be written.
void write_tiny_model_file(const std::string& path, const TinyModel& model);

}  // namespace polyphon
