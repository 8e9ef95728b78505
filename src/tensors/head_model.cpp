#include "tensors/head_model.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace polyphon {
namespace {

using torch::Tensor;

// A column that is always the same says nothing: it stays as it is.
Standard standard_of(const Tensor& rows) {
  const Tensor deviation = (rows - rows.mean(0)).square().mean(0).sqrt();
  const Tensor varies = deviation.gt(1e-6);
  return {at::where(varies, rows.mean(0), 0.0),
          at::where(varies, deviation.clamp_min(1e-6).reciprocal(), 1.0)};
}

// The head of `weights` and `bias`, and nothing of the state.
template <size_t kCount>
HeadWeights start_at(const std::array<double, kCount>& weights, double bias,
                     const HeadExamples& like) {
  const auto type = like.features.scalar_type();
  const Tensor values =
      torch::tensor(std::vector<double>(weights.begin(), weights.end()), torch::kDouble).to(type);
  HeadWeights start;
  start.of_features = standard_of(like.features);
  start.features = trained_copy(values / start.of_features.scale);
  start.bias = trained_copy((values * start.of_features.mean).sum().reshape(1) + bias);
  if (!like.hidden.defined()) return start;
  start.of_hidden = standard_of(like.hidden);
  start.hidden = trained_copy(torch::zeros({like.hidden.size(1)}, like.hidden.scalar_type()));
  return start;
}

// The weights of one part on what is not standardised; `bias` loses what the mean would add.
Tensor unstandardised(const Tensor& weights, const Standard& standard, double& bias) {
  const Tensor plain = weights.detach().to(torch::kDouble) * standard.scale.to(torch::kDouble);
  bias -= (plain * standard.mean.to(torch::kDouble)).sum().item<double>();
  return plain.to(torch::kCPU).contiguous();
}

template <typename Head>
Head to_head(const HeadWeights& weights) {
  Head head;
  head.bias = weights.bias.item<double>();
  const Tensor features = unstandardised(weights.features, weights.of_features, head.bias);
  POLYPHON_CHECK(features.numel() == static_cast<int64_t>(head.weights.size()));
  std::copy_n(features.const_data_ptr<double>(), head.weights.size(), head.weights.begin());
  if (weights.hidden.defined())
    head.hidden_weights =
        numbers_of<float>(unstandardised(weights.hidden, weights.of_hidden, head.bias));
  return head;
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
  NamedParameters all = {{"features", features}, {"bias", bias}};
  if (hidden.defined()) all.emplace_back("hidden", hidden);
  return all;
}

HeadWeights HeadWeights::copy() const {
  return {trained_copy(features), trained_copy(bias), trained_copy(hidden), of_features, of_hidden};
}

HeadWeights to_weights(const GateHead& gate, const Tensor& scale) {
  const auto& kind = scale.options();
  const auto count = static_cast<int64_t>(gate.weights.size());
  const auto trained = [&](const auto& values) {
    return trained_copy(torch::tensor(std::vector<double>(values.begin(), values.end())).to(kind));
  };
  HeadWeights weights;
  weights.of_features = {torch::zeros({count}, kind), torch::ones({count}, kind)};
  weights.of_hidden = {torch::zeros_like(scale), scale};
  weights.features = trained(gate.weights);
  weights.bias = trained(std::array{gate.bias});
  std::vector<float> hidden = gate.hidden_weights;
  hidden.resize(static_cast<size_t>(scale.numel()));
  weights.hidden = trained_copy(
      at::where(scale.ne(0), torch::tensor(hidden).to(kind) / scale, torch::zeros_like(scale)));
  return weights;
}

HeadWeights starting_gate(const HeadExamples& like) {
  const GateHead untrained;
  return start_at(untrained.weights, untrained.bias, like);
}

HeadWeights starting_write(const HeadExamples& like) {
  const WriteHead untrained;
  return start_at(untrained.weights, untrained.bias, like);
}

HeadWeights starting_value(const HeadExamples& like) {
  const ValueHead untrained;
  return start_at(untrained.weights, untrained.bias, like);
}

HeadWeights starting_regression(const HeadExamples& like) {
  HeadWeights start;
  const auto type = like.features.scalar_type();
  start.of_features = standard_of(like.features);
  start.features = torch::zeros({like.features.size(1)}, type).set_requires_grad(true);
  start.bias = torch::zeros({1}, type).set_requires_grad(true);
  return start;
}

Tensor head_logits(const HeadWeights& head, const HeadExamples& examples) {
  const Tensor logits = at::mv(head.of_features(examples.features), head.features) + head.bias;
  if (!head.hidden.defined()) return logits;
  return logits + at::mv(head.of_hidden(examples.hidden), head.hidden);
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

GateHead to_gate(const HeadWeights& weights) { return to_head<GateHead>(weights); }
WriteHead to_write(const HeadWeights& weights) { return to_head<WriteHead>(weights); }
ValueHead to_value(const HeadWeights& weights) { return to_head<ValueHead>(weights); }

}  // namespace polyphon
