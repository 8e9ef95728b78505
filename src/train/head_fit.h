// Fitting one head to its examples, all of them in every step: there are thousands at most. A
// function of its input and nothing else, given the number of threads.
#pragma once

#include "train/head_model.h"

namespace polyphon {

struct HeadFit {
  HeadWeights weights;  // with the lowest validation loss, which may be the starting ones
  int steps = 0;        // up to them
  double validation_start = 0;
  double validation_best = 0;
};

// Minimises label_loss() + decay_loss() of `training`, and stops early by label_loss() of
// `validation`.
HeadFit fit_head(const HeadWeights& start, const HeadExamples& training,
                 const HeadExamples& validation, const FitOptions& options);

// Problems dealt into `folds` parts by `seed`, of about equal size: the part of each row. [n] int64
torch::Tensor deal_folds(const torch::Tensor& problems, int folds, uint64_t seed);

// Rows of part `validation` validate, those of `test` (-1: none) are left out, the rest is trained
// on.
struct FoldSplit {
  torch::Tensor training, validation, test;  // rows, int64
};
FoldSplit split_folds(const torch::Tensor& parts, int validation, int test);

}  // namespace polyphon
