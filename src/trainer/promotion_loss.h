// The gate within the loss of adapters: its probability p weakens what its promotions brought, so
// that the tokens' loss reaches it, and is itself held to the counterfactuals (design.md,
// L_promotion).
#pragma once

#include <vector>

#include "tensors/head_model.h"
#include "tensors/transformer.h"
#include "trainer/batch_plan.h"

namespace polyphon {

// A gate to go on training beside an adapter. It reads states brought to length one, by the output
// norm's own weights: so no gradient of its weights is longer than its features make it, and none
// crowds out the adapter's when the norm of all is clipped.
HeadWeights trainable_gate(const GateHead& start, const BaseWeights& weights);

// What the gate is asked about the batch's promotions, with what became of them as labels. States
// are of a first pass with every promotion carried out in full, as the session had it, without a
// gradient and without dropout.
HeadExamples promotion_examples(const BaseWeights& weights, const Lora& lora,
                                const TrainingBatch& batch);

// log p added to the scores of rows that see what a promotion brought: ForwardOptions::biases.
// `log_p`: [promotions]. At 0 nothing changes, to the bit.
std::vector<torch::Tensor> promotion_biases(const TrainingBatch& batch, const torch::Tensor& log_p);

}  // namespace polyphon
