// The frozen weights of the served model as tensors in the type that the trainer computes in.
#pragma once

#include <vector>

#include "model/weight_file.h"
#include "tensors/lora.h"
#include "tensors/row_operations.h"
#include "tensors/torch.h"

namespace polyphon {

// What products are computed in. Norms, softmax, the residual stream and the loss are float (double
// with kDouble, which only gradient tests use).
enum class Precision { kBfloat16, kFloat, kDouble };

// bfloat16 where the CPU multiplies it (avx512_bf16, amx_bf16), else float: emulated it is slower.
Precision best_precision();
// "auto", "bf16" or "f32"; auto is bfloat16 on a GPU. Throws Error{kInvalidArgument}.
Precision parse_precision(const std::string& name, const torch::Device& device = torch::kCPU);
torch::ScalarType product_type(Precision precision);
torch::ScalarType sum_type(Precision precision);

// The projections of a group, one below the other.
struct FrozenLinear {
  torch::Tensor weight;  // [sum of out, in]
  torch::Tensor bias;    // [sum of out], or undefined
};

struct FrozenLayer {
  FrozenLinear groups[kGroupCount];
  torch::Tensor attention_norm;  // [hidden], as the next three of sum_type()
  torch::Tensor feed_forward_norm;
  torch::Tensor query_norm;  // [head_size], qwen3; else undefined
  torch::Tensor key_norm;
};

struct BaseWeights {
  ModelShape shape;
  Precision precision = Precision::kFloat;
  RowRoute route = RowRoute::kFused;  // that of the tensors' device
  torch::Tensor embedding;            // [vocabulary, hidden]
  torch::Tensor output;       // [vocabulary, hidden]; the embedding itself when the head is tied
  torch::Tensor output_norm;  // [hidden]
  // [rope_size / 2] float on the CPU, or undefined: divides the frequencies.
  torch::Tensor rope_factors;
  std::vector<FrozenLayer> layers;

  torch::Device device() const { return embedding.device(); }
};

// Reads a tensor at a time: the peak is the model in `precision` plus its largest tensor in float.
// Throws what WeightFile throws, Error{kInvalidArgument} for a tensor of another shape.
BaseWeights load_base_weights(const WeightFile& file, Precision precision,
                              const torch::Device& device = torch::kCPU);

}  // namespace polyphon
