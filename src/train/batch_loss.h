// What a batch of data costs: the sum over its targets of weight times negative log-probability.
#pragma once

#include "train/batch_plan.h"
#include "train/transformer.h"

namespace polyphon {

// What losses are divided by: a negative weight counts as much as a positive one.
double target_weight(const TrainingBatch& batch);

// A number, with the gradient of what is trained unless that is switched off.
torch::Tensor batch_loss(const BaseWeights& weights, const Lora& lora, const TrainingBatch& batch,
                         const ForwardOptions& options);

}  // namespace polyphon
