#include "head_trainer/topology_model.h"

#include <algorithm>
#include <array>

namespace polyphon {
namespace {

using torch::Tensor;

// Columns of TopologyFeatures::values(), in the order in which it lists them.
enum Column { kLength, kShortness, kWidth, kBefore, kPrompt, kPromptShort };
static_assert(kPromptShort + 1 == TopologyFeatures::kCount);
// Those that TopologyFeatures::state_terms() lists after its 1.
constexpr std::array<Column, TopologyFeatures::kStateTerms - 1> kShape = {kShortness, kWidth,
                                                                          kBefore};

// What the head says of each row of features and of states, [rows].
Tensor said(const HeadWeights& weights, const Tensor& features, const Tensor& hidden) {
  const torch::NoGradGuard guard;
  HeadExamples examples;
  examples.features = features;
  examples.hidden = hidden;
  return head_logits(weights, examples);
}

}  // namespace

void TopologyRows::add(int64_t problem, const Topology& topology, int prompt_tokens,
                       const Tensor& state, bool right) {
  rows_.push_back({{problem, topology.budget_tokens()},
                   topology.to_string(),
                   topology_features(topology, prompt_tokens),
                   state,
                   right});
}

void TopologyRows::add_stated(int64_t problem, const std::string& topology) {
  stated_[{problem, parse_topology(topology).budget_tokens()}] = topology;
}

TopologyExamples TopologyRows::examples(int64_t hidden_size) const {
  std::map<std::string, int64_t> number_of;
  struct Counts {
    int64_t number;
    int all = 0, right = 0;
  };
  std::map<Group, Counts> groups;
  for (const Row& row : rows_) {
    number_of[row.topology];
    const auto next = static_cast<int64_t>(groups.size());
    Counts& counts = groups.try_emplace(row.group, Counts{next}).first->second;
    ++counts.all;
    counts.right += row.right ? 1 : 0;
  }
  TopologyExamples result;
  for (auto& [name, number] : number_of) {
    number = static_cast<int64_t>(result.names.size());
    result.names.push_back(name);
  }
  std::vector<Tensor> features, states;
  std::vector<float> labels, targets, elsewhere, stated;
  std::vector<int64_t> problems, numbers, choices;
  for (const Row& row : rows_) {
    const auto values = row.features.values();
    features.push_back(
        torch::tensor(std::vector<double>(values.begin(), values.end())).to(torch::kFloat));
    states.push_back(row.state);
    labels.push_back(row.right ? 1.0f : 0.0f);
    const auto [number, all, right] = groups.at(row.group);
    targets.push_back(row.right ? 1.0f / static_cast<float>(right) : 0.0f);
    elsewhere.push_back(right == all ? 0.0f : static_cast<float>(right) / static_cast<float>(all));
    const auto said = stated_.find(row.group);
    stated.push_back(said != stated_.end() && said->second == row.topology ? 1.0f : 0.0f);
    problems.push_back(row.group.first);
    numbers.push_back(number);
    choices.push_back(number_of.at(row.topology));
  }
  const auto stack = [&](const std::vector<Tensor>& rows, int64_t columns) {
    return rows.empty() ? torch::empty({0, columns}) : torch::stack(rows);
  };
  const Tensor ones = torch::ones({static_cast<int64_t>(rows_.size())});
  result.each = {stack(features, TopologyFeatures::kCount),
                 stack(states, hidden_size),
                 torch::tensor(labels),
                 ones,
                 torch::tensor(problems, torch::kLong),
                 torch::tensor(numbers, torch::kLong),
                 ones.clone(),
                 torch::tensor(targets),
                 torch::tensor(elsewhere)};
  result.choices = torch::tensor(choices, torch::kLong);
  result.stated = torch::tensor(stated);
  return result;
}

TopologyBasis::TopologyBasis(const HeadExamples& examples) {
  const Tensor features = examples.features.to(torch::kDouble);
  feature_mean_ = features.mean(0);
  const Tensor deviation = (features - feature_mean_).square().mean(0).sqrt();
  feature_scale_ = at::where(deviation.gt(1e-6), deviation.clamp_min(1e-6).reciprocal(), 0.0);

  const Tensor states = examples.hidden.to(torch::kDouble);
  state_mean_ = states.mean(0);
  const Tensor centred = states - state_mean_;
  const auto [variances, directions] =
      at::linalg_eigh(centred.t().mm(centred) / static_cast<double>(states.size(0)));
  const int64_t size = variances.size(0), kept = std::min(kComponents, size);
  const Tensor variance = variances.narrow(0, size - kept, kept);  // the greatest are last
  const Tensor scale =
      at::where(variance.gt(1e-9), variance.clamp_min(1e-9).rsqrt(), torch::zeros_like(variance));
  components_ = directions.narrow(1, size - kept, kept) * scale;
}

HeadExamples TopologyBasis::inputs(const HeadExamples& examples) const {
  HeadExamples inputs = examples;
  const Tensor features = (examples.features.to(torch::kDouble) - feature_mean_) * feature_scale_;
  const Tensor components = (examples.hidden.to(torch::kDouble) - state_mean_).mm(components_);
  std::vector<Tensor> terms = {torch::ones({features.size(0)}, torch::kDouble)};
  for (const Column column : kShape) terms.push_back(features.select(1, column));
  inputs.features = features.to(torch::kFloat);
  inputs.hidden =
      (torch::stack(terms, 1).unsqueeze(2) * components.unsqueeze(1)).flatten(1).to(torch::kFloat);
  return inputs;
}

HeadExamples TopologyBasis::shape_inputs(const HeadExamples& examples) const {
  HeadExamples alone = inputs(examples).without_hidden();
  for (const Column column : {kPrompt, kPromptShort}) alone.features.select(1, column).zero_();
  return alone;
}

HeadWeights starting_topology(const HeadExamples& inputs) {
  HeadWeights start = starting_regression(inputs);
  if (!inputs.hidden.defined()) return start;
  const int64_t columns = inputs.hidden.size(1);
  start.of_hidden = {torch::zeros({columns}), torch::ones({columns})};
  start.hidden = trained_copy(torch::zeros({columns}));
  return start;
}

TopologyHead TopologyBasis::to_head(const HeadWeights& weights) const {
  constexpr int64_t kFeatures = TopologyFeatures::kCount, kTerms = TopologyFeatures::kStateTerms;
  const int64_t kept = components_.size(1);
  // A linear function is known by what it says of zero and of the unit vectors.
  const Tensor none = torch::zeros({1, kFeatures}), no_state = torch::zeros({1, kTerms * kept});
  const Tensor at_zero = said(weights, none, no_state).to(torch::kDouble);
  const Tensor of_features =
      (said(weights, torch::eye(kFeatures), no_state.expand({kFeatures, -1})).to(torch::kDouble) -
       at_zero) *
      feature_scale_;
  Tensor bias = at_zero - (of_features * feature_mean_).sum();
  Tensor plain = of_features.clone();
  TopologyHead head;
  if (weights.hidden.defined()) {
    const Tensor of_products =
        said(weights, none.expand({kTerms * kept, -1}), torch::eye(kTerms * kept))
            .to(torch::kDouble) -
        at_zero;
    // [terms, hidden_size]: of (1, shape as it is standardised) times the state less its mean.
    const Tensor centred = of_products.view({kTerms, kept}).mm(components_.t());
    Tensor rows = centred.clone();
    for (int64_t term = 1; term < kTerms; ++term) {
      const Column column = kShape[static_cast<size_t>(term - 1)];
      rows[term].mul_(feature_scale_[column]);
      rows[0].sub_(rows[term] * feature_mean_[column]);
    }
    const Tensor of_mean = rows.mv(state_mean_);
    bias -= of_mean[0];
    for (int64_t term = 1; term < kTerms; ++term)
      plain[kShape[static_cast<size_t>(term - 1)]].sub_(of_mean[term]);
    head.hidden_weights = numbers_of<float>(rows);
  }
  head.weights = numbers_of<float>(torch::cat({bias, plain}));
  return head;
}

}  // namespace polyphon
