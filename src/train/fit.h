// Fitting a head's weights to all of its examples in every step: there are thousands at most. A
// function of its input and nothing else, given the number of threads.
#pragma once

#include "train/head_options.h"
#include "train/optimizer.h"
#include "train/torch.h"

namespace polyphon {

template <typename Weights>
struct Fit {
  Weights weights;  // with the lowest validation loss, which may be the starting ones
  int steps = 0;    // up to them
  double validation_start = 0;
  double validation_best = 0;
};

// Minimises `objective` by Adam and stops early by `validation`. Both take the weights and give a
// scalar. Weights have parameters() and copy().
template <typename Weights, typename Objective, typename Validation>
Fit<Weights> fit(const Weights& start, const Objective& objective, const Validation& validation,
                 const FitOptions& options) {
  const auto validated = [&](const Weights& weights) {
    const torch::NoGradGuard guard;
    return validation(weights).template item<double>();
  };
  Fit<Weights> result;
  result.weights = start.copy();
  result.validation_start = result.validation_best = validated(start);
  Weights current = start.copy();
  Optimizer optimizer(current.parameters());
  for (int step = 1; step <= options.most_steps; ++step) {
    objective(current).backward();
    optimizer.step(options.learning_rate, /*weight_decay=*/0, step);
    const double loss = validated(current);
    if (loss < result.validation_best) {
      result.weights = current.copy();
      result.steps = step;
      result.validation_best = loss;
    } else if (step - result.steps >= options.patience_steps) {
      break;
    }
  }
  return result;
}

}  // namespace polyphon
