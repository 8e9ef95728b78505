// What fitting memory's read head would be worth: each part of the sessions scored by weights that
// were fitted without it, beside the untrained head and each of its terms alone.
#pragma once

#include <string>
#include <vector>

#include "head_trainer/fit.h"
#include "head_trainer/read_model.h"
#include "head_trainer/read_report.h"

namespace polyphon {

class ReadTrial {
 public:
  // Both must outlive this.
  ReadTrial(const ReadExamples& examples, const TrialOptions& options);

  // Enough sessions for every part.
  bool can_learn() const;

  ReadArm untrained() const;
  ReadArm by_words() const;   // the lexical term alone
  ReadArm by_cosine() const;  // of key and state, alone
  // `rank` 0: the terms' weights alone.
  ReadArm fitted_without_each_part(const std::string& name, int rank) const;
  Fit<ReadWeights> fit_to_all(int rank) const;

 private:
  ReadArm arm(const std::string& name, const torch::Tensor& scores) const;
  Fit<ReadWeights> fit(const ReadExamples& training, int rank) const;

  const ReadExamples& examples_;
  const TrialOptions& options_;
  torch::Tensor parts_;  // [sessions]
};

}  // namespace polyphon
