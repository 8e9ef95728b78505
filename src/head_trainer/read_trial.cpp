#include "head_trainer/read_trial.h"

#include "core/seeds.h"
#include "head_trainer/head_fit.h"
#include "record/memory_request.h"

namespace polyphon {
namespace {

using torch::Tensor;

Tensor scores_of(const ReadWeights& weights, const ReadExamples& examples) {
  const torch::NoGradGuard guard;
  return read_scores(weights, examples);
}

// The untrained head with other weights of its two terms.
ReadWeights with_terms(const ReadExamples& like, double lexical, double hidden) {
  ReadWeights weights = starting_read(like, 0, 0);
  weights.terms = torch::tensor({lexical, hidden}, torch::kDouble).to(like.lexical.scalar_type());
  return weights;
}

}  // namespace

ReadTrial::ReadTrial(const ReadExamples& examples, const TrialOptions& options)
    : examples_(examples), options_(options) {
  if (examples.sessions() > 0)
    parts_ = deal_folds(torch::arange(examples.sessions()), options.folds, options.seed);
}

bool ReadTrial::can_learn() const {
  return examples_.sessions() >= kLeastProblemsAPart * static_cast<int64_t>(options_.folds);
}

ReadArm ReadTrial::untrained() const {
  return arm("untrained", scores_of(starting_read(examples_, 0, 0), examples_));
}
ReadArm ReadTrial::by_words() const {
  return arm("words", scores_of(with_terms(examples_, 1, 0), examples_));
}
ReadArm ReadTrial::by_cosine() const {
  return arm("cosine", scores_of(with_terms(examples_, 0, 1), examples_));
}

ReadArm ReadTrial::fitted_without_each_part(const std::string& name, int rank) const {
  Tensor scores = torch::zeros_like(examples_.lexical);
  for (int part = 0; part < options_.folds; ++part) {
    const FoldSplit split = split_folds(parts_, part);
    if (split.test.numel() == 0) continue;
    const Fit<ReadWeights> fit = this->fit(examples_.of(split.training), rank);
    scores.index_copy_(0, split.test, scores_of(fit.weights, examples_.of(split.test)));
  }
  return arm(name, scores);
}

Fit<ReadWeights> ReadTrial::fit_to_all(int rank) const { return fit(examples_, rank); }

Fit<ReadWeights> ReadTrial::fit(const ReadExamples& training, int rank) const {
  const ReadWeights start = starting_read(training, rank, seeds::kReadHead.of(options_.seed));
  const auto objective = [&](const ReadWeights& weights) {
    return read_loss(read_scores(weights, training), training) +
           decay_loss(weights, start, options_.fit.decay);
  };
  return polyphon::fit(start, objective, options_.fit);
}

ReadArm ReadTrial::arm(const std::string& name, const Tensor& scores) const {
  ReadArm arm{
      name, {}, read_loss(scores, examples_).item<double>(), MemoryRequest{}.read_threshold};
  const Tensor all = scores.to(torch::kFloat).contiguous();
  const auto score = all.accessor<float, 3>(), there = examples_.there.accessor<float, 3>();
  const auto weights = examples_.weights.accessor<float, 2>();
  const auto wanted = examples_.wanted.accessor<int64_t, 2>();
  const int64_t nodes = all.size(2);
  for (int64_t s = 0; s < all.size(0); ++s) {
    for (int64_t q = 0; q < all.size(1); ++q) {
      if (weights[s][q] == 0) continue;
      RankedLook look{static_cast<int>(s), wanted[s][q] < nodes};
      int greater = 0, equal = 0;
      for (int64_t n = 0; n < nodes; ++n) {
        if (there[s][q][n] == 0) continue;
        look.best_score = std::max(look.best_score, static_cast<double>(score[s][q][n]));
        if (!look.wants || n == wanted[s][q]) continue;
        greater += score[s][q][n] > score[s][q][wanted[s][q]] ? 1 : 0;
        equal += score[s][q][n] == score[s][q][wanted[s][q]] ? 1 : 0;
      }
      look.above = greater + equal / 2.0;
      look.first = greater == 0 ? 1.0 / (1 + equal) : 0;
      arm.looks.push_back(look);
    }
  }
  return arm;
}

}  // namespace polyphon
