#include "train/batch_loss.h"

#include <cmath>

#include "train/operations.h"

namespace polyphon {

double target_weight(const TrainingBatch& batch) {
  double weight = 0;
  for (const float each : batch.weights) weight += std::abs(each);
  return weight;
}

torch::Tensor batch_loss(const BaseWeights& weights, const Lora& lora, const TrainingBatch& batch,
                         const ForwardOptions& options) {
  const torch::Tensor hidden = forward(weights, lora, batch.tokens, options, &batch.rows);
  const torch::Tensor logprobs =
      target_logprobs(hidden, weights.output, torch::tensor(batch.targets));
  return -(logprobs * torch::tensor(batch.weights).to(logprobs.scalar_type())).sum();
}

}  // namespace polyphon
