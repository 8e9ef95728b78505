// The topology head's examples and its gradient; the trainer's head against the engine's; and that
// a fit finds a preference that was planted.
#include "head_trainer/topology_model.h"

#include <gtest/gtest.h>

#include <cmath>

#include "head_trainer/head_trial.h"

namespace polyphon {
namespace {

using torch::Tensor;

constexpr int64_t kHiddenSize = 6;
const std::vector<std::string> kNames = {"1x512", "2x128>1x256", "4x128", "16x32"};

Tensor random_state(uint64_t seed) {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::empty({kHiddenSize}).normal_(0, 1, generator);
}

// Two kinds of problems, by the sign of the state's first number: those that one long stream has
// right, and those that many short ones have.
TopologyRows planted(int problems) {
  TopologyRows rows;
  for (int problem = 0; problem < problems; ++problem) {
    const Tensor state = random_state(static_cast<uint64_t>(problem));
    const bool wants_length = state[0].item<double>() > 0;
    for (const std::string& name : kNames) {
      const bool is_long = name.starts_with("1x");
      const bool is_wide = name.starts_with("16x");
      rows.add(problem, parse_topology(name), 40 + problem % 7, state,
               wants_length ? is_long : is_wide);
    }
    rows.add_stated(problem, "4x128");
  }
  return rows;
}

TEST(TopologyExamples, AreChoicesAmongTheTopologiesOfAProblem) {
  TopologyRows rows;
  const Tensor state = random_state(3);
  const bool right[] = {true, false, true, false};
  for (size_t i = 0; i < 4; ++i) rows.add(7, parse_topology(kNames[i]), 50, state, right[i]);
  rows.add_stated(7, "4x128");
  rows.add(9, parse_topology("4x128"), 50, state, true);  // no choice there
  const TopologyExamples found = rows.examples(kHiddenSize);
  EXPECT_EQ(found.names, (std::vector<std::string>{"16x32", "1x512", "2x128>1x256", "4x128"}));
  const HeadExamples& each = found.each;
  ASSERT_EQ(each.count(), 5);
  EXPECT_TRUE(found.choices.equal(torch::tensor({1, 2, 3, 0, 3}, torch::kLong)));
  EXPECT_TRUE(found.stated.equal(torch::tensor({0.0f, 0.0f, 1.0f, 0.0f, 0.0f})));
  EXPECT_TRUE(each.labels.equal(torch::tensor({1.0f, 0.0f, 1.0f, 0.0f, 1.0f})));
  EXPECT_TRUE(each.problems.equal(torch::tensor({7, 7, 7, 7, 9}, torch::kLong)));
  EXPECT_TRUE(each.targets.equal(torch::tensor({0.5f, 0.0f, 0.5f, 0.0f, 1.0f})));
  EXPECT_TRUE(each.elsewhere.equal(torch::tensor({0.5f, 0.5f, 0.5f, 0.5f, 0.0f})));
  EXPECT_TRUE(each.hidden[4].equal(state));
  EXPECT_TRUE(each.groups.equal(torch::tensor({0, 0, 0, 0, 1}, torch::kLong)));
  const auto features = topology_features(parse_topology("4x128"), 50).values();
  for (size_t i = 0; i < features.size(); ++i)
    EXPECT_NEAR(each.features[2][static_cast<int64_t>(i)].item<double>(), features[i], 1e-6);
  rows.add(7, parse_topology("1x64"), 50, state, true);  // another budget, another choice
  const TopologyExamples more = rows.examples(kHiddenSize);
  EXPECT_EQ(more.each.groups[5].item<int64_t>(), 2);
  EXPECT_EQ(more.each.problems[5].item<int64_t>(), 7);
  EXPECT_TRUE(more.each.targets.slice(0, 0, 5).equal(each.targets));
  EXPECT_EQ(TopologyRows().examples(kHiddenSize).each.count(), 0);
}

TEST(TopologyExamples, OfTheShapeAloneKnowNothingOfThePrompt) {
  const HeadExamples each = planted(3).examples(kHiddenSize).each;
  const TopologyBasis basis(each);
  const HeadExamples alone = basis.shape_inputs(each), all = basis.inputs(each);
  EXPECT_FALSE(alone.hidden.defined());
  EXPECT_TRUE(alone.features.slice(0, 0, 4).equal(alone.features.slice(0, 4, 8)));
  EXPECT_FALSE(all.features.slice(0, 0, 4).equal(all.features.slice(0, 4, 8)));
}

TEST(TopologyBasis, GivesAllItsNumbersTheSameVariance) {
  const HeadExamples each = planted(200).examples(kHiddenSize).each;
  const HeadExamples inputs = TopologyBasis(each).inputs(each);
  EXPECT_TRUE(inputs.features.mean(0).abs().lt(1e-4).all().item<bool>());
  EXPECT_TRUE(inputs.features.square().mean(0).allclose(torch::ones({6}), 1e-3, 1e-3));
  const Tensor components = inputs.hidden.slice(1, 0, kHiddenSize);  // times 1
  const Tensor covariance = components.t().mm(components) / components.size(0);
  EXPECT_TRUE(covariance.allclose(torch::eye(kHiddenSize), 1e-3, 1e-3));
}

// As training would leave them.
HeadWeights moved(const HeadExamples& inputs) {
  const HeadWeights weights = starting_topology(inputs);
  const torch::NoGradGuard guard;
  uint64_t seed = 90;
  for (const auto& [name, tensor] : weights.parameters()) {
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(++seed);
    Tensor(tensor).add_(torch::empty_like(tensor).normal_(0, 0.3, generator));
  }
  return weights;
}

void expect_parity(const HeadExamples& each, const HeadExamples& inputs, const TopologyBasis& basis,
                   int prompt_tokens) {
  const HeadWeights weights = moved(inputs);
  const Tensor expected = head_logits(weights, inputs);
  const TopologyHead head = basis.to_head(weights);
  EXPECT_EQ(head.hidden_weights.empty(), !inputs.hidden.defined());
  for (int64_t row = 0; row < each.count(); ++row) {
    const Topology topology = parse_topology(kNames[static_cast<size_t>(row) % kNames.size()]);
    EXPECT_NEAR(topology_log_odds(head, topology_features(topology, prompt_tokens),
                                  numbers_of<float>(each.hidden[row])),
                expected[row].item<double>(), 1e-4)
        << row;
  }
}

TEST(parity, OfTheTopologyHeadWithTheEngines) {
  const int prompt_tokens = 43;
  TopologyRows rows;
  for (uint64_t problem = 0; problem < 20; ++problem)
    for (const std::string& name : kNames)
      rows.add(static_cast<int64_t>(problem), parse_topology(name), prompt_tokens,
               random_state(problem) + 2, true);
  const HeadExamples each = rows.examples(kHiddenSize).each;
  const TopologyBasis basis(each);
  const HeadExamples inputs = basis.inputs(each);
  expect_parity(each, inputs, basis, prompt_tokens);
  expect_parity(each, inputs.without_hidden(), basis, prompt_tokens);
}

TEST(gradient, ReachesAllOfTheTopologyHead) {
  const HeadExamples each = planted(12).examples(kHiddenSize).each;
  const HeadExamples inputs = TopologyBasis(each).inputs(each);
  const HeadWeights start = starting_topology(inputs);
  const HeadWeights weights = moved(inputs);
  (head_loss(weights, inputs, 1) + decay_loss(weights, start, {0.1, 0.1})).backward();
  for (const auto& [name, tensor] : weights.parameters()) {
    ASSERT_TRUE(tensor.grad().defined()) << name;
    EXPECT_TRUE(tensor.grad().ne(0).all().item<bool>()) << name;
  }
}

TEST(TopologyModel, StartsWithAnEvenChance) {
  const HeadExamples each = planted(3).examples(kHiddenSize).each;
  const HeadExamples inputs = TopologyBasis(each).inputs(each);
  EXPECT_TRUE(head_logits(starting_topology(inputs), inputs).eq(0).all().item<bool>());
}

TEST(TopologyModel, AFitLearnsWhichPromptPrefersWhat) {
  const HeadExamples each = planted(120).examples(kHiddenSize).each;
  const TopologyBasis basis(each);
  const HeadExamples inputs = basis.inputs(each);
  TrialOptions options;
  options.fit.decay.hidden = 0.001;
  const HeadTrial trial(each, options);
  ASSERT_TRUE(trial.can_learn());
  const HeadFit fit = trial.fit_to_all(inputs, starting_topology);
  EXPECT_LT(fit.loss, 0.6 * fit.loss_before);
  const TopologyHead head = basis.to_head(fit.weights);
  std::vector<Topology> choices;
  for (const std::string& name : kNames) choices.push_back(parse_topology(name));
  const auto chosen = [&](float sign) {
    const std::vector<float> state = {1.5f * sign, 0, 0, 0, 0, 0};
    return correct_topology(head, choices, &choices[2], 43, state).chosen;
  };
  EXPECT_LE(chosen(1), 1u) << "one stream in the end";
  EXPECT_EQ(chosen(-1), 3u);
}

}  // namespace
}  // namespace polyphon
