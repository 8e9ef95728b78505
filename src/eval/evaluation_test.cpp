#include "eval/evaluation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/clock_for_test.h"
#include "base/error.h"
#include "model/fake_language_model.h"
#include "tasks/family.h"

namespace polyphon {
namespace {

// Streams and answers of the fake model say what `script` lets them.
std::unique_ptr<Reasoner> make_reasoner(FakeDecoder::Script script = {}) {
  FakeDecoder::Options sizes;
  sizes.capacity_cells = 1 << 16;
  sizes.max_rows = 2048;
  auto model = std::make_unique<FakeLanguageModel>(sizes, std::move(script));
  auto engine = std::make_unique<Engine>(model->make_fake_decoder(), EngineOptions{}, kClock);
  return std::make_unique<Reasoner>(std::move(model), std::move(engine), ReasonOptions{},
                                    Reasoner::Identity{"v1", "digest", "hash"});
}

Problem problem() { return make_problem(family("counting"), 1, 3); }

TEST(Evaluation, EveryArmKeepsToTheSameBudget) {
  EvaluationOptions options;
  options.shape = {4, 32};
  for (const Arm& each : arms()) {
    const ThinkInput input = evaluation_input(problem(), each, options);
    const int search = input.search.on() ? input.search.max_tokens : 0;
    const long long budget = input.topology.budget_tokens() + search;
    EXPECT_EQ(budget, each.name == "short" ? 32 : 128) << each.name;
    EXPECT_EQ(input.sampling.seed, evaluation_input(problem(), arm("vote"), options).sampling.seed);
  }
}

TEST(Evaluation, TheSetsNameArmsThatExist) {
  for (const auto& set : {control_set(), collapse_cures()})
    for (const std::string& name : set) EXPECT_EQ(arm(name).name, name);
  EXPECT_THROW(arm("wishful"), Error);
}

TEST(Evaluation, RunsEveryArmOverEveryProblem) {
  auto reasoner = make_reasoner();
  EvaluationOptions options;
  options.shape = {2, 24};
  options.max_answer_tokens = 8;
  options.parallel = 3;
  std::vector<WantedSample> wanted;
  for (const Arm& each : arms()) wanted.push_back({problem(), &each});
  std::map<std::string, EvaluationSample> samples;
  evaluate(*reasoner, wanted, options,
           [&](const EvaluationSample& sample) { samples[sample.arm] = sample; });
  ASSERT_EQ(samples.size(), arms().size());
  for (const auto& [name, sample] : samples) {
    const bool single = name == "short" || name.starts_with("sequential");
    EXPECT_EQ(sample.streams.size(), single ? 1u : 2u) << name;
    EXPECT_LE(sample.thought_tokens, name == "kv_workspace_search" ? 88 : 48) << name;
    EXPECT_GE(sample.cells, sample.thought_tokens) << name;
    EXPECT_FALSE(sample.right) << name;
  }
  EXPECT_GT(samples.at("prefill").prefill_tokens, samples.at("kv").prefill_tokens);
}

// A stream that would end at once spends its budget when it is urged.
TEST(Evaluation, AnUrgedStreamSpendsItsBudget) {
  auto reasoner = make_reasoner([](const FakeRow& row, std::span<float> logits) {
    const bool said = row.visible.back() == 'o';
    logits[said ? FakeTokens::kTurnEnd : 'o'] = 50;
  });
  EvaluationOptions options;
  options.shape = {2, 128};
  options.max_answer_tokens = 4;
  std::map<std::string, EvaluationSample> samples;
  evaluate(*reasoner, {{problem(), &arm("sequential")}, {problem(), &arm("sequential_urged")}},
           options, [&](const EvaluationSample& sample) { samples[sample.arm] = sample; });
  EXPECT_EQ(samples.at("sequential").thought_tokens, 1);
  const EvaluationSample& urged = samples.at("sequential_urged");
  EXPECT_GT(urged.thought_tokens, 3);
  EXPECT_GT(urged.cells, samples.at("sequential").cells + 150);
}

TEST(Evaluation, StopsBetweenSamplesAndWithinOne) {
  auto reasoner = make_reasoner();
  EvaluationOptions options;
  options.shape = {2, 24};
  std::atomic<bool> stop = false;
  int samples = 0;
  const std::vector<WantedSample> wanted(5, {problem(), &arm("kv")});
  evaluate(
      *reasoner, wanted, options, [&](const EvaluationSample&) { stop = ++samples == 2; }, &stop);
  EXPECT_EQ(samples, 2);
  evaluate(*reasoner, wanted, options, [&](const EvaluationSample&) { ++samples; }, &stop);
  EXPECT_EQ(samples, 2);
}

TEST(Evaluation, ThrowsWhatASessionFailedWith) {
  auto reasoner = make_reasoner();
  EvaluationOptions options;
  options.shape = {8, 1 << 16};  // beyond the caps
  int samples = 0;
  EXPECT_THROW(evaluate(*reasoner, {{problem(), &arm("kv")}, {problem(), &arm("vote")}}, options,
                        [&](const EvaluationSample&) { ++samples; }),
               Error);
  EXPECT_EQ(samples, 0);
}

}  // namespace
}  // namespace polyphon
