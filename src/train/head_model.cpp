#include "train/head_model.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace polyphon {
namespace {

using torch::Tensor;

bool has_hidden(const HeadExamples& examples) { return examples.hidden.defined(); }

template <size_t kCount>
HeadWeights linear_start(const std::array<double, kCount>& weights, double bias,
                         const at::TensorOptions& kind) {
  HeadWeights start;
  start.features = trained_copy(
      torch::tensor(std::vector<double>(weights.begin(), weights.end()), torch::kDouble).to(kind));
  start.bias = trained_copy(torch::full({1}, bias, kind));
  return start;
}

template <size_t kCount>
void copy_features(const HeadWeights& from, std::array<double, kCount>& weights, double& bias) {
  const Tensor values = from.features.detach().to(torch::kCPU, torch::kDouble).contiguous();
  POLYPHON_CHECK(values.numel() == static_cast<int64_t>(kCount));
  std::copy_n(values.data_ptr<double>(), kCount, weights.begin());
  bias = from.bias.item<double>();
}

}  // namespace

HeadExamples HeadExamples::rows(const Tensor& indices) const {
  const auto pick = [&](const Tensor& from) {
    return from.defined() ? from.index_select(0, indices) : from;
  };
  return {pick(features), pick(hidden), pick(labels),  pick(weights),  pick(problems),
          pick(groups),   pick(visits), pick(targets), pick(elsewhere)};
}

HeadExamples HeadExamples::without_hidden() const {
  HeadExamples rest = *this;
  rest.hidden = Tensor();
  return rest;
}

NamedParameters HeadWeights::parameters() const {
  NamedParameters all = {{"features", features},
                         {"bias", bias},
                         {"hidden", hidden},
                         {"w1", w1},
                         {"b1", b1},
                         {"w2", w2}};
  std::erase_if(all, [](const auto& each) { return !each.second.defined(); });
  return all;
}

HeadWeights HeadWeights::copy() const {
  return {trained_copy(features),
          trained_copy(bias),
          trained_copy(hidden),
          trained_copy(w1),
          trained_copy(b1),
          trained_copy(w2),
          scale};
}

HeadWeights to_weights(const GateHead& gate, const Tensor& scale) {
  HeadWeights weights = linear_start(gate.weights, gate.bias, scale.options());
  weights.scale = scale;
  Tensor hidden = torch::zeros_like(scale, torch::TensorOptions());
  if (!gate.hidden_weights.empty())
    hidden = torch::where(scale.ne(0),
                          torch::tensor(gate.hidden_weights).to(scale.options()) / scale, hidden);
  weights.hidden = trained_copy(hidden);
  return weights;
}

HeadWeights starting_gate(const HeadExamples& like) {
  const GateHead untrained;
  if (has_hidden(like)) return to_weights(untrained, scale_of(like.hidden));
  return linear_start(untrained.weights, untrained.bias, like.features.scalar_type());
}

HeadWeights starting_write(const HeadExamples& like) {
  const WriteHead untrained;
  HeadWeights start = linear_start(untrained.weights, untrained.bias, like.features.scalar_type());
  if (!has_hidden(like)) return start;
  start.scale = scale_of(like.hidden);
  start.hidden = trained_copy(torch::zeros_like(start.scale, torch::TensorOptions()));
  return start;
}

HeadWeights starting_value(const HeadExamples& like, int units, uint64_t seed) {
  const ValueHead untrained;
  HeadWeights start = linear_start(untrained.weights, untrained.bias, like.features.scalar_type());
  if (!has_hidden(like)) return start;
  start.scale = scale_of(like.hidden);
  const auto type = like.hidden.scalar_type();
  const int64_t size = like.hidden.size(1);
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  start.w1 = torch::empty({units, size}, type)
                 .normal_(0, 1 / std::sqrt(static_cast<double>(size)), generator)
                 .set_requires_grad(true);
  start.b1 = torch::zeros({units}, type).set_requires_grad(true);
  start.w2 = torch::zeros({units}, type).set_requires_grad(true);
  return start;
}

HeadWeights starting_regression(const HeadExamples& like) {
  HeadWeights start;
  start.features =
      torch::zeros({like.features.size(1)}, like.features.scalar_type()).set_requires_grad(true);
  start.bias = torch::zeros({1}, like.features.scalar_type()).set_requires_grad(true);
  return start;
}

Tensor head_logits(const HeadWeights& head, const HeadExamples& examples) {
  Tensor logits = at::mv(examples.features, head.features) + head.bias;
  if (!head.hidden.defined() && !head.w2.defined()) return logits;
  const Tensor hidden = examples.hidden * head.scale;
  if (head.hidden.defined()) logits = logits + at::mv(hidden, head.hidden);
  if (head.w2.defined()) {
    // Without a state the engine leaves the perceptron out, and does not give it zeros.
    const Tensor there = state_is_there(examples.hidden).to(examples.hidden.scalar_type());
    logits = logits + there * at::mv(at::relu(at::addmm(head.b1, hidden, head.w1.t())), head.w2);
  }
  return logits;
}

Tensor label_cost(const Tensor& logits, const HeadExamples& examples) {
  // log(1 + e^z) - y z
  const Tensor each = at::softplus(logits) - examples.labels * logits;
  return (examples.weights * each).sum();
}

Tensor label_loss(const Tensor& logits, const HeadExamples& examples) {
  return label_cost(logits, examples) / examples.weights.sum().clamp_min(1e-12);
}

Tensor choice_loss(const Tensor& logits, const HeadExamples& examples) {
  const Tensor rows = examples.elsewhere.defined() ? examples.elsewhere.gt(0).nonzero().flatten()
                                                   : torch::empty({0}, torch::kLong);
  if (rows.numel() == 0) return torch::zeros({}, logits.scalar_type());
  const auto pick = [&](const Tensor& from) { return from.index_select(0, rows); };
  const auto [groups, place, counts] = at::_unique2(pick(examples.groups), true, true);
  const Tensor scores = pick(logits) + pick(examples.visits).log();
  // log of a group's sum of exponentials, taken about the greatest.
  const Tensor none = torch::full({groups.size(0)}, -INFINITY, scores.scalar_type());
  const Tensor greatest = none.scatter_reduce(0, place, scores.detach(), "amax");
  const Tensor about = scores - greatest.index_select(0, place);
  const Tensor sums =
      torch::zeros({groups.size(0)}, scores.scalar_type()).index_add(0, place, about.exp());
  const Tensor log_q = about - sums.log().index_select(0, place);
  const Tensor weights = pick(examples.elsewhere) * pick(examples.targets);
  return -(weights * log_q).sum() / weights.sum();
}

Tensor head_loss(const HeadWeights& head, const HeadExamples& examples, double choice_weight) {
  const Tensor logits = head_logits(head, examples);
  const Tensor loss = label_loss(logits, examples);
  return choice_weight == 0 ? loss : loss + choice_weight * choice_loss(logits, examples);
}

Tensor decay_loss(const HeadWeights& head, const HeadWeights& start, const HeadDecay& decay) {
  return decay_between(head.parameters(), start.parameters(), {"features", "bias"}, decay);
}

GateHead to_gate(const HeadWeights& weights) {
  GateHead gate;
  copy_features(weights, gate.weights, gate.bias);
  if (weights.hidden.defined()) gate.hidden_weights = floats(weights.hidden * weights.scale);
  return gate;
}

WriteHead to_write(const HeadWeights& weights) {
  WriteHead write;
  copy_features(weights, write.weights, write.bias);
  if (weights.hidden.defined()) write.hidden_weights = floats(weights.hidden * weights.scale);
  return write;
}

ValueHead to_value(const HeadWeights& weights) {
  ValueHead value;
  copy_features(weights, value.weights, value.bias);
  if (!weights.w2.defined()) return value;
  value.w1 = floats(weights.w1 * weights.scale);
  value.b1 = floats(weights.b1);
  value.w2 = floats(weights.w2);
  return value;
}

}  // namespace polyphon
