#include "head_trainer/head_fit.h"

#include <map>
#include <vector>

#include "base/random.h"

namespace polyphon {

using torch::Tensor;

HeadFit fit_head(const HeadWeights& start, const HeadExamples& training,
                 const FitOptions& options) {
  const auto objective = [&](const HeadWeights& weights) {
    return head_loss(weights, training, options.choice_weight) +
           decay_loss(weights, start, options.decay);
  };
  return fit(start, objective, options);
}

Tensor deal_folds(const Tensor& problems, int folds, uint64_t seed) {
  const auto* const numbers = problems.const_data_ptr<int64_t>();
  std::map<int64_t, int64_t> part_of;
  for (int64_t row = 0; row < problems.size(0); ++row) part_of[numbers[row]];
  std::vector<int64_t> order;
  for (const auto& [problem, part] : part_of) order.push_back(problem);
  Random random(seed);
  shuffle(random, order);
  for (size_t i = 0; i < order.size(); ++i) part_of[order[i]] = static_cast<int64_t>(i) % folds;
  std::vector<int64_t> parts;
  for (int64_t row = 0; row < problems.size(0); ++row) parts.push_back(part_of.at(numbers[row]));
  return torch::tensor(parts, torch::kLong);
}

FoldSplit split_folds(const Tensor& parts, int test) {
  const auto rows = [](const Tensor& chosen) { return chosen.nonzero().flatten(); };
  return {rows(parts.ne(test)), rows(parts.eq(test))};
}

}  // namespace polyphon
