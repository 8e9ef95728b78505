#include "head_trainer/head_trial.h"

#include <set>

#include "base/random.h"

namespace polyphon {
namespace {

using torch::Tensor;

Tensor probabilities(const HeadWeights& weights, const HeadExamples& examples) {
  const torch::NoGradGuard guard;
  return at::sigmoid(head_logits(weights, examples));
}

}  // namespace

HeadTrial::HeadTrial(const HeadExamples& examples, const TrialOptions& options)
    : examples_(examples), options_(options) {
  if (examples.count() == 0) return;
  parts_ = deal_folds(examples.problems, options.folds, options.seed);
  labelled_ = {numbers_of<int>(examples.labels), numbers_of<double>(examples.weights),
               numbers_of<int>(examples.problems)};
  if (!examples.groups.defined()) return;
  labelled_.groups = numbers_of<int>(examples.groups);
  labelled_.visits = numbers_of<double>(examples.visits);
  labelled_.targets = numbers_of<double>(examples.targets);
  labelled_.elsewhere = numbers_of<double>(examples.elsewhere);
}

bool HeadTrial::can_learn() const {
  std::set<int> problems, labels;
  for (size_t i = 0; i < labelled_.labels.size(); ++i) {
    if (labelled_.weights[i] == 0) continue;
    problems.insert(labelled_.problems[i]);
    labels.insert(labelled_.labels[i]);
  }
  return labels.size() == 2 && std::ssize(problems) >= kLeastProblemsAPart * options_.folds;
}

HeadArm HeadTrial::untrained(const Start& start) const {
  return {"untrained", numbers_of<double>(probabilities(start(examples_), examples_))};
}

HeadArm HeadTrial::fitted_without_each_part(const std::string& name, const HeadExamples& inputs,
                                            const Start& start) const {
  Tensor scores = torch::zeros_like(examples_.labels, torch::TensorOptions());
  for (int part = 0; part < options_.folds; ++part) {
    const FoldSplit split = split_folds(parts_, part);
    if (split.test.numel() == 0) continue;
    const HeadExamples training = inputs.rows(split.training);
    const HeadFit fit = fit_head(start(training), training, options_.fit);
    scores.index_copy_(0, split.test, probabilities(fit.weights, inputs.rows(split.test)));
  }
  return {name, numbers_of<double>(scores)};
}

HeadFit HeadTrial::fit_to_all(const HeadExamples& inputs, const Start& start) const {
  return fit_head(start(inputs), inputs, options_.fit);
}

}  // namespace polyphon
