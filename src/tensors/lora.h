// The trained weights: for each chosen projection W [out, in] of a layer a pair A [rank, in] and
// B [out, rank] that adds alpha / rank * B A to it (Hu et al. 2021, arXiv:2106.09685). Master
// copies in float; B starts at zero, so that the model is bit-equal to its base before training.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/weight_file.h"
#include "tensors/torch.h"

namespace polyphon {

// GGUF's names of the projections that may be chosen, in the order of the forward pass.
inline constexpr const char* kProjections[] = {"attn_q",   "attn_k", "attn_v",  "attn_output",
                                               "ffn_gate", "ffn_up", "ffn_down"};
inline constexpr int kProjectionCount = 7;
enum Projection { kQuery, kKey, kValue, kOutput, kGate, kUp, kDown };

// Projections of the same input, which are computed as one product: first, and one past the last.
enum ProjectionGroup { kAttentionIn, kAttentionOut, kFeedForwardIn, kFeedForwardOut };
inline constexpr int kGroupCount = 4;
inline constexpr std::pair<int, int> kGroups[] = {
    {kQuery, kOutput}, {kOutput, kGate}, {kGate, kDown}, {kDown, kProjectionCount}};

// {out, in} of a projection's weight.
std::pair<int64_t, int64_t> projection_size(const ModelShape& shape, int projection);

struct LoraConfig {
  int rank = 16;
  float alpha = 32;
  float dropout = 0;  // of the input of A, while training
  std::vector<std::string> projections{std::begin(kProjections), std::end(kProjections)};
};

// Throws Error{kInvalidArgument} that names the setting.
void check(const LoraConfig& config);

struct LoraPair {
  torch::Tensor a;  // [rank, in]; undefined when the projection was not chosen
  torch::Tensor b;  // [out, rank]
};

class Lora {
 public:
  // A as in PEFT: uniform within 1 / sqrt(in), the same on every device. `kind`: of its tensors,
  // whose type is kFloat but in gradient tests.
  Lora(const ModelShape& shape, const LoraConfig& config, uint64_t seed,
       const at::TensorOptions& kind = torch::kFloat);

  const LoraConfig& config() const { return config_; }
  float scale() const { return config_.alpha / static_cast<float>(config_.rank); }
  const LoraPair& at(int layer, int projection) const {
    const int index = layer * kProjectionCount + projection;
    return pairs_[static_cast<size_t>(index)];
  }
  // All of them, in a fixed order; named "blk.N.attn_q.weight.lora_a" and so on, as in
  // adapter.gguf.
  std::vector<std::pair<std::string, torch::Tensor>> parameters() const;

 private:
  LoraConfig config_;
  std::vector<LoraPair> pairs_;  // [layers * kProjectionCount]
};

// An adapter that adds nothing: with it the model is its base.
Lora no_adapter(const ModelShape& shape, const at::TensorOptions& kind = torch::kFloat);

}  // namespace polyphon
