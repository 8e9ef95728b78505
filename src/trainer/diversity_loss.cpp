#include "trainer/diversity_loss.h"

#include "tensors/row_operations.h"

namespace polyphon {

using torch::Tensor;

Tensor diversity_loss(const Tensor& states, const std::vector<StreamSummaries>& sets,
                      double margin) {
  const Tensor wide = states.to(sum_of(states));
  Tensor loss = torch::zeros({}, wide.options());
  int64_t next = 0;
  for (const StreamSummaries& set : sets) {
    std::vector<Tensor> directions;
    for (const auto& stream : set.streams) {
      int64_t rows = 0;
      for (const RowRange& range : stream) rows += range.end - range.begin;
      const Tensor mean = wide.narrow(0, next, rows).mean(0);
      directions.push_back(mean / mean.norm().clamp_min(1e-12));
      next += rows;
    }
    const Tensor all = torch::stack(directions);
    const auto streams = static_cast<double>(directions.size());
    const Tensor over = at::relu(at::mm(all, all.t()) - margin).triu(1);
    loss = loss + over.sum() * (set.weight / (streams * (streams - 1) / 2));
  }
  return loss;
}

std::vector<int> summarised_rows(const std::vector<StreamSummaries>& sets) {
  std::vector<int> rows;
  for (const StreamSummaries& set : sets)
    for (const auto& stream : set.streams)
      for (const RowRange& range : stream)
        for (int row = range.begin; row < range.end; ++row) rows.push_back(row);
  return rows;
}

}  // namespace polyphon
