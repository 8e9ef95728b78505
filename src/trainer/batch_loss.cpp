#include "trainer/batch_loss.h"

#include "tensors/operations.h"
#include "trainer/promotion_loss.h"

namespace polyphon {
namespace {

using torch::Tensor;

Tensor logprobs_of(const BaseWeights& weights, const TrainingBatch& batch, const Tensor& hidden) {
  return target_logprobs(hidden, weights.output, torch::tensor(batch.targets).to(hidden.device()),
                         weights.route);
}

}  // namespace

void LossCounts::add(const TrainingBatch& batch) {
  targets += static_cast<double>(batch.targets.size());
  for (const ExamplePromotion& promotion : batch.promotions)
    effects += promotion.effect != 0 ? 1 : 0;
}

BatchLoss batch_loss(const BaseWeights& weights, const Lora& lora, const TrainingBatch& batch,
                     const ForwardOptions& options, const LossTerms& terms) {
  BatchLoss loss;
  ForwardOptions how = options;
  if (terms.gate && !batch.promotions.empty()) {
    const HeadExamples promotions = promotion_examples(weights, lora, batch);
    const Tensor logits = head_logits(*terms.gate, promotions);
    how.biases = promotion_biases(batch, at::log_sigmoid(logits));
    loss.promotion = label_cost(logits, promotions);
  }
  if (batch.targets.empty()) {  // only effects are learnt
    loss.tokens = torch::zeros({}, weights.device());
    return loss;
  }
  const Tensor hidden = forward(weights, lora, batch.tokens, how, &batch.rows);
  const Tensor logprobs = logprobs_of(weights, batch, hidden);
  const Tensor factors = torch::tensor(batch.weights).to(logprobs.options());
  const Tensor learnt = torch::where(factors.lt(0), logprobs.clamp_min(kLeastLogprob), logprobs);
  loss.tokens = -(learnt * factors).sum();
  if (!terms.base) return loss;
  Tensor of_base;
  {
    const torch::NoGradGuard guard;
    of_base = logprobs_of(
        weights, batch,
        forward(weights, *terms.base, batch.tokens, {.biases = how.biases}, &batch.rows));
  }
  const Tensor ratio = of_base - logprobs;
  loss.divergence = ((ratio.exp() - ratio - 1) * factors.abs()).sum();
  return loss;
}

}  // namespace polyphon
