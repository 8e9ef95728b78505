// What a batch of data costs, as sums over its targets.
#pragma once

#include "tensors/head_model.h"
#include "tensors/transformer.h"
#include "trainer/batch_plan.h"

namespace polyphon {

// What sums over batches are divided by.
struct LossCounts {
  double targets = 0;  // however much they weigh
  double effects = 0;  // promotions that had one, of whatever size

  void add(const TrainingBatch& batch);
};

// Numbers, with the gradient of what is trained unless that is switched off.
struct BatchLoss {
  // Weight times negative log-probability. What weighs less than nothing is pushed down to
  // kLeastLogprob and no further: log p has no least value, and a single failure would outweigh all
  // else (PPO bounds what a negative advantage may do as well: Schulman et al. 2017,
  // arXiv:1707.06347).
  torch::Tensor tokens;
  // |weight| times an estimate of KL(trained || base) from the target alone: r - log r - 1 with
  // r = p_base / p, which is unbiased where the trained model sampled the target (Schulman 2020, as
  // in GRPO: Shao et al. 2024, arXiv:2402.03300). Undefined without `base`.
  torch::Tensor divergence;
  // Cross-entropy of the gate's p against the sign of promotions' effects, each weighted by the
  // effect's size. Undefined without a gate, or without promotions.
  torch::Tensor promotion;
};

inline constexpr double kLeastLogprob = -4.6;  // one in a hundred

// What is asked beside the tokens' loss.
struct LossTerms {
  const Lora* base = nullptr;  // an adapter that adds nothing, which divergence is measured from
  // Whose p weakens what promotions brought (promotion_loss.h); null: they count in full.
  const HeadWeights* gate = nullptr;
};

BatchLoss batch_loss(const BaseWeights& weights, const Lora& lora, const TrainingBatch& batch,
                     const ForwardOptions& options, const LossTerms& terms = {});

}  // namespace polyphon
