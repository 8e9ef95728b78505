// The served model's forward pass over a packed batch, with LoRA: the same arithmetic as libllama's
// on the same weights, dequantised, with explicit positions and visibility. Thread: one at a time;
// libtorch's own threads compute.
#pragma once

#include <vector>

#include "tensors/base_weights.h"
#include "tensors/lora.h"
#include "tensors/token_batch.h"
#include "tensors/torch.h"

namespace polyphon {

struct ForwardOptions {
  bool training = false;  // dropout is drawn
  uint64_t seed = 0;      // of dropout, together with layer and projection
  // Keep only each layer's input and compute the layer again in backward (Chen et al. 2016,
  // arXiv:1604.06174): less memory, a third more time.
  bool checkpoint = false;
  // Added to the attention scores of a segment, all heads and layers alike: [n, n] a segment,
  // undefined where there is none. May require a gradient; then scores of all heads exist at once.
  std::vector<torch::Tensor> biases = {};
};

// States after the output norm, of the product type: [selected rows, hidden_size], in their order.
// Without `selected` those of all rows.
torch::Tensor forward(const BaseWeights& weights, const Lora& lora, const TokenBatch& batch,
                      const ForwardOptions& options, const std::vector<int>* selected = nullptr);

// [rows, vocabulary] in float, without a gradient: for tests, and few rows.
torch::Tensor logits(const BaseWeights& weights, const torch::Tensor& hidden);

}  // namespace polyphon
