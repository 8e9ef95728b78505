#include "train/head_model.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace polyphon {
namespace {

using torch::Tensor;

bool has_hidden(const HeadExamples& examples) { return examples.hidden.defined(); }

Tensor trained(const Tensor& values) { return values.clone().set_requires_grad(true); }

Tensor state_is_there(const Tensor& hidden) {  // [n], 0 or 1
  return hidden.ne(0).any(1).to(hidden.scalar_type());
}

// Of the states that are there; a number that is always zero stays so.
Tensor scale_of(const Tensor& hidden) {
  const Tensor mean_square = hidden.square().sum(0) / state_is_there(hidden).sum().clamp_min(1);
  return torch::where(mean_square.gt(0), mean_square.clamp_min(1e-12).rsqrt(),
                      torch::zeros_like(mean_square, torch::TensorOptions()));
}

template <size_t kCount>
HeadWeights linear_start(const std::array<double, kCount>& weights, double bias,
                         torch::ScalarType type) {
  HeadWeights start;
  start.features = trained(
      torch::tensor(std::vector<double>(weights.begin(), weights.end()), torch::kDouble).to(type));
  start.bias = trained(torch::full({1}, bias, type));
  return start;
}

std::vector<float> floats(const Tensor& tensor) {
  const Tensor flat = tensor.detach().to(torch::kFloat).contiguous().flatten();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

template <size_t kCount>
void copy_features(const HeadWeights& from, std::array<double, kCount>& weights, double& bias) {
  const Tensor values = from.features.detach().to(torch::kDouble).contiguous();
  POLYPHON_CHECK(values.numel() == static_cast<int64_t>(kCount));
  std::copy_n(values.data_ptr<double>(), kCount, weights.begin());
  bias = from.bias.item<double>();
}

}  // namespace

HeadExamples HeadExamples::rows(const Tensor& indices) const {
  const auto pick = [&](const Tensor& from) {
    return from.defined() ? from.index_select(0, indices) : from;
  };
  return {pick(features), pick(hidden), pick(labels), pick(weights), pick(problems)};
}

HeadExamples HeadExamples::without_hidden() const {
  HeadExamples rest = *this;
  rest.hidden = Tensor();
  return rest;
}

std::vector<std::pair<std::string, Tensor>> HeadWeights::parameters() const {
  std::vector<std::pair<std::string, Tensor>> all = {{"features", features},
                                                     {"bias", bias},
                                                     {"hidden", hidden},
                                                     {"w1", w1},
                                                     {"b1", b1},
                                                     {"w2", w2}};
  std::erase_if(all, [](const auto& each) { return !each.second.defined(); });
  return all;
}

HeadWeights HeadWeights::copy() const {
  const auto copied = [](const Tensor& from) {
    return from.defined() ? trained(from.detach()) : from;
  };
  return {copied(features), copied(bias), copied(hidden), copied(w1),
          copied(b1),       copied(w2),   scale};
}

HeadWeights to_weights(const GateHead& gate, const Tensor& scale) {
  HeadWeights weights = linear_start(gate.weights, gate.bias, scale.scalar_type());
  weights.scale = scale;
  Tensor hidden = torch::zeros_like(scale, torch::TensorOptions());
  if (!gate.hidden_weights.empty())
    hidden = torch::where(
        scale.ne(0), torch::tensor(gate.hidden_weights).to(scale.scalar_type()) / scale, hidden);
  weights.hidden = trained(hidden);
  return weights;
}

HeadWeights starting_gate(const HeadExamples& like) {
  const GateHead untrained;
  if (has_hidden(like)) return to_weights(untrained, scale_of(like.hidden));
  return linear_start(untrained.weights, untrained.bias, like.features.scalar_type());
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
    const Tensor there = state_is_there(examples.hidden);
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

Tensor decay_loss(const HeadWeights& head, const HeadWeights& start, const HeadDecay& decay) {
  Tensor loss = torch::zeros({}, head.bias.scalar_type());
  const auto now = head.parameters(), then = start.parameters();
  for (size_t i = 0; i < now.size(); ++i) {
    const bool plain = now[i].first == "features" || now[i].first == "bias";
    loss = loss + (now[i].second - then[i].second.detach()).square().sum() *
                      ((plain ? decay.features : decay.hidden) / 2);
  }
  return loss;
}

GateHead to_gate(const HeadWeights& weights) {
  GateHead gate;
  copy_features(weights, gate.weights, gate.bias);
  if (weights.hidden.defined()) gate.hidden_weights = floats(weights.hidden * weights.scale);
  return gate;
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
