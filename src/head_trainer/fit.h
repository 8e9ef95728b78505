// Fitting a head's weights to all of its examples at once: there are thousands at most. A function
// of its input and nothing else, given the number of threads. Throws Error{kInternal} when it comes
// to no number.
#pragma once

#include <fmt/format.h>
#include <torch/optim/lbfgs.h>

#include <cmath>

#include "base/error.h"
#include "tensors/head_options.h"
#include "tensors/torch.h"

namespace polyphon {

template <typename Weights>
struct Fit {
  Weights weights;
  int evaluations = 0;  // of the objective
  double loss_before = 0;
  double loss = 0;
};

// Minimises `objective`, which takes the weights and gives a scalar, by L-BFGS (Liu, Nocedal 1989)
// to its optimum, or until `options.most_steps`: what keeps a fit from following its examples too
// closely is the decay in its objective, not an early end. Weights have parameters() and copy().
template <typename Weights, typename Objective>
Fit<Weights> fit(const Weights& start, const Objective& objective, const FitOptions& options) {
  Fit<Weights> result;
  result.weights = start.copy();
  std::vector<torch::Tensor> trained;
  for (const auto& [name, tensor] : result.weights.parameters()) trained.push_back(tensor);
  torch::optim::LBFGS optimizer(trained, torch::optim::LBFGSOptions(1)
                                             .max_iter(options.most_steps)
                                             .max_eval(2 * options.most_steps)
                                             .tolerance_grad(1e-6)
                                             .history_size(20)
                                             .line_search_fn("strong_wolfe"));
  const torch::Tensor first = optimizer.step([&] {
    ++result.evaluations;
    optimizer.zero_grad();
    torch::Tensor loss = objective(result.weights);
    loss.backward();
    return loss;
  });
  const torch::NoGradGuard guard;
  result.loss_before = first.item<double>();
  result.loss = objective(result.weights).template item<double>();
  if (!std::isfinite(result.loss))
    throw Error(ErrorCode::kInternal, fmt::format("a head's fit ends at a loss of {}, from {}",
                                                  result.loss, result.loss_before));
  return result;
}

}  // namespace polyphon
