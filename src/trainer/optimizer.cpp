#include "trainer/optimizer.h"

#include <cmath>

#include "base/error.h"
#include "tensors/named_tensors.h"

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
  }
}

std::vector<torch::Tensor> Optimizer::gradients() const {
  std::vector<torch::Tensor> all;
  for (const torch::Tensor& weight : weights_) {
    if (!weight.grad().defined()) weight.mutable_grad() = torch::zeros_like(weight);
    all.push_back(weight.grad());
  }
  return all;
}

std::vector<torch::Tensor> Optimizer::tensors() const {
  std::vector<torch::Tensor> all = weights_;
  all.insert(all.end(), first_moments_.begin(), first_moments_.end());
  all.insert(all.end(), second_moments_.begin(), second_moments_.end());
  return all;
}

double Optimizer::clip(double most) {
  double squares = 0;
  const std::vector<torch::Tensor> all = gradients();
  for (const torch::Tensor& gradient : all) {
    const double norm = gradient.norm().item<double>();
    squares += norm * norm;
  }
  const double norm = std::sqrt(squares);
  if (most > 0 && norm > most)
    for (const torch::Tensor& gradient : all) gradient.mul_(most / norm);
  return norm;
}

void Optimizer::step(double learning_rate, double weight_decay, int64_t number) {
  const torch::NoGradGuard guard;
  const std::vector<torch::Tensor> numbers(
      weights_.size(), torch::full({}, number, weights_.front().options().dtype(torch::kFloat)));
  at::_fused_adamw_(weights_, gradients(), first_moments_, second_moments_, {}, numbers,
                    learning_rate, kBeta1, kBeta2, weight_decay, kEpsilon, /*amsgrad=*/false,
                    /*maximize=*/false);
  for (const torch::Tensor& weight : weights_) weight.mutable_grad().reset();
}

void Optimizer::save(TensorFile& file) const {
  for (size_t i = 0; i < names_.size(); ++i) {
    file.tensors[names_[i]] = to_named(weights_[i]);
    file.tensors[names_[i] + ".m"] = to_named(first_moments_[i]);
    file.tensors[names_[i] + ".v"] = to_named(second_moments_[i]);
  }
}

void Optimizer::load(const TensorFile& file) {
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
  }
}

}  // namespace polyphon
