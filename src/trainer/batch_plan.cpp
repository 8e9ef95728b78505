#include "trainer/batch_plan.h"

#include <numeric>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "core/seeds.h"

namespace polyphon {
namespace {

// `begin`: of the example's rows, which are the batch's last segment.
void append_promotions(TrainingBatch& batch, const Example& example, int begin) {
  const auto first = static_cast<int>(batch.promotions.size());
  for (const RowRun& run : example.runs)
    for (const BroughtRows& rows : run.brought)
      batch.brought.push_back({batch.tokens.segments.size() - 1,
                               first + rows.promotion,
                               {run.begin, run.end},
                               {rows.begin, rows.end}});
  for (ExamplePromotion promotion : example.promotions) {
    if (promotion.state >= 0) promotion.state += begin;
    batch.promotions.push_back(std::move(promotion));
  }
}

}  // namespace

void append(TokenBatch& batch, const Example& example) {
  if (is_plain(example)) return append_plain(batch, example.tokens);
  const int begin = batch.rows();
  batch.tokens.insert(batch.tokens.end(), example.tokens.begin(), example.tokens.end());
  for (const Position position : positions_of(example)) batch.positions.push_back(position);
  batch.segments.push_back({begin, batch.rows(), visibility_of(example)});
}

BatchPlan::BatchPlan(const std::vector<Example>& examples, int batch_tokens, uint64_t seed)
    : examples_(examples), batch_tokens_(batch_tokens), seed_(seed) {
  for (const Example& example : examples)
    POLYPHON_CHECK(static_cast<int>(example.tokens.size()) <= batch_tokens);
}

const std::vector<size_t>& BatchPlan::order_of(int64_t epoch) {
  if (epoch == epoch_) return order_;
  epoch_ = epoch;
  order_.resize(examples_.size());
  std::iota(order_.begin(), order_.end(), 0);
  Random random(seeds::kEpochs.of(seed_, static_cast<uint64_t>(epoch)));
  for (size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[random.next() % i]);
  return order_;
}

int64_t BatchPlan::end_of_batch(const DataPosition& position) {
  const std::vector<size_t>& order = order_of(position.epoch);
  int tokens = 0;
  auto end = static_cast<size_t>(position.next);
  while (end < order.size()) {
    tokens += static_cast<int>(examples_[order[end]].tokens.size());
    if (tokens > batch_tokens_) break;
    ++end;
  }
  return static_cast<int64_t>(end);
}

TrainingBatch BatchPlan::take(DataPosition& position) {
  TrainingBatch batch;
  const int64_t end = end_of_batch(position);
  for (; position.next < end; ++position.next) {
    const Example& example = examples_[order_[static_cast<size_t>(position.next)]];
    const int begin = batch.tokens.rows();
    append(batch.tokens, example);
    append_promotions(batch, example, begin);
    batch.lines.push_back(example.line);
    for (const TargetRange& range : example.targets)
      for (int i = range.begin; i < range.end; ++i) {
        const bool elsewhere = i == range.begin && range.from >= 0;
        batch.rows.push_back(begin + (elsewhere ? range.from : i - 1));
        batch.targets.push_back(example.tokens[static_cast<size_t>(i)]);
        batch.weights.push_back(range.weight);
      }
  }
  if (position.next == static_cast<int64_t>(examples_.size())) position = {position.epoch + 1, 0};
  return batch;
}

int64_t BatchPlan::batches_in(int64_t epochs) {
  int64_t batches = 0;
  for (DataPosition position; position.epoch < epochs; ++batches) {
    position.next = end_of_batch(position);
    if (position.next == static_cast<int64_t>(examples_.size())) position = {position.epoch + 1, 0};
  }
  return batches;
}

}  // namespace polyphon
