#include "train/optimizer.h"

#include <cmath>

#include "base/error.h"
#include "train/named_tensors.h"

namespace polyphon {
namespace {

constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;

}  // namespace

Optimizer::Optimizer(const Parameters& parameters) {
  for (const auto& [name, tensor] : parameters) {
    names_.push_back(name);
    weights_.push_back(tensor);
    first_moments_.push_back(torch::zeros_like(tensor, torch::TensorOptions()));
    second_moments_.push_back(torch::zeros_like(tensor, torch::TensorOptions()));
    steps_.push_back(torch::zeros({}, torch::kFloat));
  }
}

double Optimizer::clip(double most) {
  double squares = 0;
  for (const torch::Tensor& weight : weights_) {
    const double norm = weight.grad().norm().item<double>();
    squares += norm * norm;
  }
  const double norm = std::sqrt(squares);
  if (most > 0 && norm > most)
    for (const torch::Tensor& weight : weights_) weight.grad().mul_(most / norm);
  return norm;
}

void Optimizer::step(double learning_rate, double weight_decay) {
  const torch::NoGradGuard guard;
  std::vector<torch::Tensor> gradients;
  for (const torch::Tensor& weight : weights_) gradients.push_back(weight.grad());
  for (torch::Tensor& step : steps_) step.add_(1);  // the kernel takes the step's number, from 1
  at::_fused_adamw_(weights_, gradients, first_moments_, second_moments_, {}, steps_, learning_rate,
                    kBeta1, kBeta2, weight_decay, kEpsilon, /*amsgrad=*/false, /*maximize=*/false);
  for (torch::Tensor& weight : weights_) weight.mutable_grad().reset();
}

void Optimizer::save(TensorFile& file) const {
  for (size_t i = 0; i < names_.size(); ++i) {
    file.tensors[names_[i]] = to_named(weights_[i]);
    file.tensors[names_[i] + ".m"] = to_named(first_moments_[i]);
    file.tensors[names_[i] + ".v"] = to_named(second_moments_[i]);
  }
}

void Optimizer::load(const TensorFile& file, int64_t steps_done) {
  const auto load_one = [&](const std::string& name, const torch::Tensor& into) {
    const auto found = file.tensors.find(name);
    if (found == file.tensors.end())
      throw Error(ErrorCode::kInvalidArgument, "the checkpoint has no tensor " + name);
    copy_named(name, found->second, into);
  };
  for (size_t i = 0; i < names_.size(); ++i) {
    load_one(names_[i], weights_[i]);
    load_one(names_[i] + ".m", first_moments_[i]);
    load_one(names_[i] + ".v", second_moments_[i]);
    steps_[i].fill_(steps_done);
  }
}

}  // namespace polyphon
