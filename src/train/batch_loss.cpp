#include "train/batch_loss.h"

#include <cmath>

#include "train/operations.h"

namespace polyphon {
namespace {

using torch::Tensor;

Tensor logprobs_of(const BaseWeights& weights, const Lora& lora, const TrainingBatch& batch,
                   const ForwardOptions& options) {
  const Tensor hidden = forward(weights, lora, batch.tokens, options, &batch.rows);
  return target_logprobs(hidden, weights.output, torch::tensor(batch.targets));
}

}  // namespace

double target_weight(const TrainingBatch& batch) {
  double weight = 0;
  for (const float each : batch.weights) weight += std::abs(each);
  return weight;
}

BatchLoss batch_loss(const BaseWeights& weights, const Lora& lora, const TrainingBatch& batch,
                     const ForwardOptions& options, const Lora* base) {
  BatchLoss loss;
  const Tensor logprobs = logprobs_of(weights, lora, batch, options);
  const Tensor factors = torch::tensor(batch.weights).to(logprobs.scalar_type());
  loss.tokens = -(logprobs * factors).sum();
  if (!base) return loss;
  Tensor of_base;
  {
    const torch::NoGradGuard guard;
    of_base = logprobs_of(weights, *base, batch, {});
  }
  const Tensor ratio = of_base - logprobs;
  loss.divergence = ((ratio.exp() - ratio - 1) * factors.abs()).sum();
  return loss;
}

}  // namespace polyphon
