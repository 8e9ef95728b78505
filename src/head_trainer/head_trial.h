// What fitting a head would be worth: each part of the problems scored by weights that were fitted
// without it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "head_trainer/head_fit.h"
#include "head_trainer/head_report.h"

namespace polyphon {

class HeadTrial {
 public:
  // Where a fit begins, by the examples that it is fitted to.
  using Start = std::function<HeadWeights(const HeadExamples& training)>;

  // Both must outlive this.
  HeadTrial(const HeadExamples& examples, const TrialOptions& options);

  // Labels that count are of both kinds, and of enough problems for every part.
  bool can_learn() const;
  const LabelledExamples& labelled() const { return labelled_; }

  HeadArm untrained(const Start& start) const;
  // `inputs` are the examples, or what one wants the arm to see of them.
  HeadArm fitted_without_each_part(const std::string& name, const HeadExamples& inputs,
                                   const Start& start) const;
  HeadFit fit_to_all(const HeadExamples& inputs, const Start& start) const;

 private:
  const HeadExamples& examples_;
  const TrialOptions& options_;
  torch::Tensor parts_;  // [n]
  LabelledExamples labelled_;
};

}  // namespace polyphon
