#include "trainer/promotion_loss.h"

#include <cmath>

namespace polyphon {

using torch::Tensor;

HeadWeights trainable_gate(const GateHead& start, const BaseWeights& weights) {
  const Tensor& norm = weights.output_norm;
  const double length = std::sqrt(static_cast<double>(norm.numel()));
  const Tensor scale =
      torch::where(norm.ne(0), 1 / (norm * length), torch::zeros_like(norm)).detach();
  return to_weights(start, scale);
}

HeadExamples promotion_examples(const BaseWeights& weights, const Lora& lora,
                                const TrainingBatch& batch) {
  const torch::NoGradGuard guard;
  std::vector<int> rows;
  for (const ExamplePromotion& promotion : batch.promotions)
    if (promotion.state >= 0) rows.push_back(promotion.state);
  const auto& kind = weights.output_norm.options();
  Tensor states;
  if (!rows.empty()) states = forward(weights, lora, batch.tokens, {}, &rows).to(kind);
  std::vector<Tensor> features, hidden;
  std::vector<float> labels, sizes;
  for (int64_t next = 0; const ExamplePromotion& promotion : batch.promotions) {
    features.push_back(torch::tensor(promotion.features));
    hidden.push_back(promotion.state >= 0 ? states[next++]
                                          : torch::zeros({weights.shape.hidden_size}, kind));
    labels.push_back(promotion.effect > 0 ? 1.0f : 0.0f);
    sizes.push_back(std::abs(promotion.effect));
  }
  HeadExamples examples;
  examples.features = torch::stack(features).to(kind);
  examples.hidden = torch::stack(hidden);
  examples.labels = torch::tensor(labels).to(kind);
  examples.weights = torch::tensor(sizes).to(kind);
  return examples;
}

std::vector<Tensor> promotion_biases(const TrainingBatch& batch, const Tensor& log_p) {
  const std::vector<Segment>& segments = batch.tokens.segments;
  std::vector<Tensor> numbers(segments.size());  // [n, n] of promotions from 1; 0: none
  for (const BroughtCells& cells : batch.brought) {
    const Segment& segment = segments[cells.segment];
    Tensor& number = numbers[cells.segment];
    const int64_t size = segment.end - segment.begin;
    if (!number.defined()) number = torch::zeros({size, size}, torch::kInt);
    number.slice(0, cells.readers.begin, cells.readers.end)
        .slice(1, cells.cells.begin, cells.cells.end)
        .fill_(cells.promotion + 1);
  }
  const Tensor values = at::cat({torch::zeros({1}, log_p.options()), log_p});
  std::vector<Tensor> biases;
  for (const Tensor& number : numbers)
    biases.push_back(
        number.defined()
            ? values.index_select(0, number.flatten().to(values.device())).view(number.sizes())
            : Tensor());
  return biases;
}

}  // namespace polyphon
