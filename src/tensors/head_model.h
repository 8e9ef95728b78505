// The gate, the value head and memory's write head as the trainer knows them: the same functions as
// heads/gate.h, value_head.h and memory_heads.h, differentiable, and the terms of their loss. All
// in the type of their inputs: float, double in tests.
#pragma once

#include "heads/gate.h"
#include "heads/memory_heads.h"
#include "heads/value_head.h"
#include "tensors/head_parameters.h"
#include "tensors/torch.h"

namespace polyphon {

// What one head is trained on. Rows go together.
struct HeadExamples {
  torch::Tensor features;  // [n, features]
  torch::Tensor hidden;    // [n, hidden_size]; zero where the engine had no state
  torch::Tensor labels;    // [n], 0 or 1
  torch::Tensor weights;   // [n], at least 0
  torch::Tensor problems;  // [n] int64: what is of one problem has one number
  // What one chooses among has one number; -1: nothing. May be undefined, with the three below.
  torch::Tensor groups;     // [n] int64
  torch::Tensor visits;     // [n], by the search; above 0
  torch::Tensor targets;    // [n], of a group 1 in all: the best of it
  torch::Tensor elsewhere;  // [n], the group's weight; 0: not to be learnt from

  int64_t count() const { return labels.defined() ? labels.size(0) : 0; }
  HeadExamples rows(const torch::Tensor& indices) const;  // [m] int64
  HeadExamples without_hidden() const;
};

// (x - mean) * scale, by column. Of examples: to mean zero and deviation one, so that a step of the
// optimizer and the decay mean the same for all weights, whatever a column's size is.
struct Standard {
  torch::Tensor mean, scale;  // [columns]

  torch::Tensor operator()(const torch::Tensor& rows) const { return (rows - mean) * scale; }
};

// logit = bias + features . of_features(x) + hidden . of_hidden(h). Without `hidden` nothing of the
// state. The standards are not trained.
struct HeadWeights {
  torch::Tensor features;  // [features]
  torch::Tensor bias;      // [1]
  torch::Tensor hidden;    // [hidden_size], or undefined
  Standard of_features, of_hidden;

  // What is trained, by name.
  NamedParameters parameters() const;
  HeadWeights copy() const;
};

// A gate's weights, trainable, whose states are to be multiplied by `scale` [hidden_size], of which
// they get the type. Features are taken as they are.
HeadWeights to_weights(const GateHead& gate, const torch::Tensor& scale);

// The untrained heads. `like`: examples whose type and sizes they take, and whose columns give the
// standards; without hidden states only the features' weights are there.
HeadWeights starting_gate(const HeadExamples& like);
HeadWeights starting_write(const HeadExamples& like);
HeadWeights starting_value(const HeadExamples& like);
// Nothing but zeros, for a regression on any features.
HeadWeights starting_regression(const HeadExamples& like);

torch::Tensor head_logits(const HeadWeights& head, const HeadExamples& examples);  // [n]

// sum w (-y log p - (1 - y) log(1 - p)) / sum w with p = sigmoid(logit), the logistic loss. 0 when
// nothing weighs anything.
torch::Tensor label_loss(const torch::Tensor& logits, const HeadExamples& examples);
// The same without the division: a sum.
torch::Tensor label_cost(const torch::Tensor& logits, const HeadExamples& examples);

// The second term of L_search: how far the head is from choosing as it should have, where a search
// could have gone on in several ways. With q = softmax over the group of logit + log visits,
// sum elsewhere * target * -log q / sum elsewhere * target. 0 when there is no such group.
torch::Tensor choice_loss(const torch::Tensor& logits, const HeadExamples& examples);

// What a fit minimises, but for the decay: label_loss() + choice_weight * choice_loss().
torch::Tensor head_loss(const HeadWeights& head, const HeadExamples& examples,
                        double choice_weight);

// The decay towards where a fit started.
torch::Tensor decay_loss(const HeadWeights& head, const HeadWeights& start, const HeadDecay& decay);

// As the engine computes them, the standards multiplied in.
GateHead to_gate(const HeadWeights& weights);
WriteHead to_write(const HeadWeights& weights);
ValueHead to_value(const HeadWeights& weights);

}  // namespace polyphon
