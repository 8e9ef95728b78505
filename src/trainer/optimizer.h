// AdamW (Loshchilov, Hutter 2019, arXiv:1711.05101) by libtorch's fused kernel, and the clipping of
// the gradient's norm before it. State is kept as plain tensors, so that a checkpoint holds it
// exactly.
#pragma once

#include <string>
#include <vector>

#include "model/tensor_file.h"
#include "tensors/lora.h"
#include "tensors/torch.h"

namespace polyphon {

class Optimizer {
 public:
  using Parameters = std::vector<std::pair<std::string, torch::Tensor>>;
  // Moments start at zero. What holds the parameters must outlive this.
  explicit Optimizer(const Parameters& parameters);

  // The norm over all gradients together, as it was; those are then scaled to at most `most`,
  // unless that is 0.
  double clip(double most);
  // Changes the weights by their gradients, and clears these. `number`: of the step, from 1.
  void step(double learning_rate, double weight_decay, int64_t number);

  // One of each weight; zeros where no pass has left one.
  std::vector<torch::Tensor> gradients() const;
  // Weights and moments: all that the next step depends on but its number.
  std::vector<torch::Tensor> tensors() const;

  // Weights and moments, by name.
  void save(TensorFile& file) const;
  void load(const TensorFile& file);

 private:
  std::vector<std::string> names_;
  std::vector<torch::Tensor> weights_, first_moments_, second_moments_;
};

}  // namespace polyphon
