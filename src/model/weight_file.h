// A served model's GGUF as the trainer needs it: the shape of its transformer, and its weights as
// floats, one tensor at a time, dequantised by ggml. No llama_model is loaded.
// Thread: a WeightFile may be read from several threads; opening reads metadata only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace polyphon {

// Which two numbers of a head RoPE turns together. GGUF stores q and k of architecture llama
// permuted for the first order; we keep that order, so adapters fit the file as it is.
enum class RopePairs {
  kNeighbours,  // 2 i and 2 i + 1; ggml's NORM
  kHalves,      // i and i + rope_size / 2; ggml's NEOX
};

struct ModelShape {
  std::string architecture;  // "llama", "qwen2" or "qwen3"
  int layers = 0;
  int hidden_size = 0;
  int feed_forward_size = 0;
  int heads = 0;
  int kv_heads = 0;
  int head_size = 0;
  int vocabulary_size = 0;
  int trained_context = 0;  // positions
  float norm_epsilon = 0;
  RopePairs rope_pairs = RopePairs::kNeighbours;
  int rope_size = 0;  // leading numbers of a head that are turned
  float rope_base = 10000;
  float rope_scale = 1;    // positions are multiplied by it (linear scaling's 1 / factor)
  bool qk_norms = false;   // qwen3: RMS norm of each head's q and k before RoPE
  bool tied_head = false;  // no output.weight: the token embedding is also the output's
};

class WeightFile {
 public:
  // Throws Error{kNotFound} for no file, Error{kInvalidArgument}: not a GGUF, damaged, an
  // architecture or a feature (experts, YaRN, fused or missing tensors) that the trainer cannot
  // compute.
  explicit WeightFile(const std::string& path);
  ~WeightFile();
  WeightFile(WeightFile&&) noexcept;

  const ModelShape& shape() const;
  bool has(const std::string& tensor) const;
  // Rows first, as in torch: {out, in} of a projection.
  std::vector<int64_t> tensor_shape(const std::string& tensor) const;
  // The whole tensor, row after row. Throws Error{kNotFound}, or Error{kInvalidArgument} when the
  // file ends before it.
  std::vector<float> read(const std::string& tensor) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace polyphon
