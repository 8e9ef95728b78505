// What a batch of data costs, as sums over its targets.
#pragma once

#include "train/batch_plan.h"
#include "train/transformer.h"

namespace polyphon {

// What losses are divided by: a negative weight counts as much as a positive one.
double target_weight(const TrainingBatch& batch);

// Numbers, with the gradient of what is trained unless that is switched off.
struct BatchLoss {
  torch::Tensor tokens;  // weight times negative log-probability
  // |weight| times an estimate of KL(trained || base) from the target alone: r - log r - 1 with
  // r = p_base / p, which is unbiased where the trained model sampled the target (Schulman 2020, as
  // in GRPO: Shao et al. 2024, arXiv:2402.03300). Undefined without `base`.
  torch::Tensor divergence;
};

// `base`: an adapter that adds nothing, which divergence is measured from; null: it is not.
BatchLoss batch_loss(const BaseWeights& weights, const Lora& lora, const TrainingBatch& batch,
                     const ForwardOptions& options, const Lora* base = nullptr);

}  // namespace polyphon
