// The topology head as the trainer knows it: heads/topology_head.h, differentiable, as a logistic
// regression on features and on the products of the prompt's state with the shape.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "heads/topology_head.h"
#include "tensors/head_model.h"

namespace polyphon {

// Sessions that each played one problem with one topology. Labels: was the answer right? Groups are
// of one problem and one budget; where some of its topologies are right and some wrong there is a
// choice to learn, whose targets are the right ones and whose weight is their share, so that each
// of them counts the same: where one alone is right it was chance, more often than not.
struct TopologyExamples {
  HeadExamples each;               // hidden: of the prompt's last token
  torch::Tensor choices;           // [n] int64, which topology: a place in the list of names
  torch::Tensor stated;            // [n], 1: the model stated this one for the problem
  std::vector<std::string> names;  // of topologies
};

// Gathers them, in any order.
class TopologyRows {
 public:
  // `topology` has phases. `state`: [hidden_size].
  void add(int64_t problem, const Topology& topology, int prompt_tokens, const torch::Tensor& state,
           bool right);
  // What the model stated for it, of the topologies that spend as much.
  void add_stated(int64_t problem, const std::string& topology);
  TopologyExamples examples(int64_t hidden_size) const;

 private:
  using Group = std::pair<int64_t, long long>;  // problem, budget
  struct Row {
    Group group;
    std::string topology;
    TopologyFeatures features;
    torch::Tensor state;
    bool right;
  };
  std::vector<Row> rows_;
  std::map<Group, std::string> stated_;
};

// What the head is fitted in, and how that is folded back into its own weights: all is linear.
// Features and shapes are standardised. Of the states there are as few as there are problems, so
// only their first kComponents principal components are weighed, each of variance one. It is made
// from examples without their labels.
class TopologyBasis {
 public:
  static constexpr int64_t kComponents = 8;
  explicit TopologyBasis(const HeadExamples& examples);

  // Features as they are weighed, and as the state the products of (1, shape) with the components.
  HeadExamples inputs(const HeadExamples& examples) const;
  // The same of the shape alone, nothing of the prompt: what is best for all prompts.
  HeadExamples shape_inputs(const HeadExamples& examples) const;
  // The engine's head, of weights that were fitted to inputs() with or without their states.
  TopologyHead to_head(const HeadWeights& weights) const;

 private:
  torch::Tensor feature_mean_, feature_scale_;  // [features]
  torch::Tensor state_mean_;                    // [hidden_size]
  torch::Tensor components_;                    // [hidden_size, components]
};

// All zero: an even chance.
HeadWeights starting_topology(const HeadExamples& inputs);

}  // namespace polyphon
