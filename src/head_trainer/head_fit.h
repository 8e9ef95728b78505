// Fitting a logistic head to its examples, and which of them it is fitted to.
#pragma once

#include "head_trainer/fit.h"
#include "tensors/head_model.h"

namespace polyphon {

using HeadFit = Fit<HeadWeights>;

// Minimises head_loss() + decay_loss().
HeadFit fit_head(const HeadWeights& start, const HeadExamples& training, const FitOptions& options);

inline constexpr int kLeastProblemsAPart = 4;

// Problems dealt into `folds` parts by `seed`, of about equal size: the part of each row. [n] int64
torch::Tensor deal_folds(const torch::Tensor& problems, int folds, uint64_t seed);

// Rows of part `test` (-1: none) are left out, the rest is trained on.
struct FoldSplit {
  torch::Tensor training, test;  // rows, int64
};
FoldSplit split_folds(const torch::Tensor& parts, int test);

}  // namespace polyphon
