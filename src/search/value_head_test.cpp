#include "heads/value_head.h"

#include <gtest/gtest.h>

#include <cmath>

#include "heads/thought_step.h"
#include "search/search_trigger.h"

namespace polyphon {
namespace {

TEST(ValueHead, IsALogisticRegressionOnFeaturesAndState) {
  ValueHead head;
  head.weights = {1, 0, -2, 0, 0, 0};
  head.bias = 0.5;
  ValueFeatures features;
  features.confidence = 0.25;
  features.conclusion = 1;
  EXPECT_NEAR(value_of(head, features, {}), 1 / (1 + std::exp(1.25)), 1e-12);
  const std::vector<float> hidden = {1, -2};
  EXPECT_EQ(value_of(head, features, hidden), value_of(head, features, {}));
  head.hidden_weights = {0.5, -1};
  EXPECT_NEAR(value_of(head, features, hidden), 1 / (1 + std::exp(1.25 - 0.5 - 2)), 1e-6);
  EXPECT_NEAR(value_of(head, features, {}), 1 / (1 + std::exp(1.25)), 1e-12);
}

TEST(ValueHead, RepetitionIsTheShareOfRepeatedNgrams) {
  EXPECT_EQ(share_repeated(Tokens{1, 2, 3, 4}, Tokens{9, 1, 2, 3, 9}, 3), 0.5);
  EXPECT_EQ(share_repeated(Tokens{1, 1, 1, 1}, Tokens{}, 2), 2.0 / 3);
  EXPECT_EQ(share_repeated(Tokens{1, 2}, Tokens{1, 2}, 3), 0);
}

ThoughtStep step_of(const std::vector<std::string>& pieces) {
  ThoughtStep step;
  for (const std::string& piece : pieces)
    step.add(static_cast<Token>(step.tokens.size()), piece, -1, 2);
  return step;
}

TEST(ThoughtStep, EndsWithASentenceOrALineButNotInANumber) {
  EXPECT_TRUE(step_of({"So", " it", " is", " four", "."}).complete());
  EXPECT_TRUE(step_of({"So\n"}).complete());
  EXPECT_TRUE(step_of({"Is", " it", " so", "?"}).complete());
  EXPECT_FALSE(step_of({"\n", " "}).complete());
  EXPECT_FALSE(step_of({"Mr", "."}).complete());
  EXPECT_FALSE(step_of({"It", " is", " 3", "."}).complete());
  EXPECT_TRUE(step_of({"It", " is", " 3", ".\n"}).complete());
  EXPECT_FALSE(step_of({"So", " it", " is"}).complete());
}

TEST(ThoughtStep, FeaturesAreSharesBetweenZeroAndOne) {
  const ThoughtStep step = step_of({"a", "b", "c", "d"});
  StepSurroundings around;
  around.before = {0, 1, 2};
  around.other_answers = {"4", "5", "4", "7"};
  around.tokens_left = 30;
  around.budget_tokens = 120;
  around.line_mean_logprob = -0.5;
  const ValueFeatures features = features_of(step, "4", around);
  EXPECT_NEAR(features.confidence, std::exp(-1), 1e-12);
  EXPECT_NEAR(features.certainty, std::exp(-2), 1e-12);
  EXPECT_EQ(features.conclusion, 1);
  EXPECT_EQ(features.agreement, 0.5);
  EXPECT_EQ(features.repetition, 0.5);
  EXPECT_EQ(features.room, 0.25);
  EXPECT_NEAR(features.line_confidence, std::exp(-0.5), 1e-12);
  EXPECT_EQ(features_of(step, "", around).conclusion, 0);
  EXPECT_EQ(features_of(step, "", around).agreement, 0);
}

// Otherwise an immediate end of the turn would look like the most certain step.
TEST(ThoughtStep, TheEndOfTheTurnIsAChoiceLikeTheOthers) {
  ThoughtStep step;
  step.end(-3, 2);
  EXPECT_EQ(step.mean_logprob(), -3);
  EXPECT_EQ(step.mean_entropy(), 2);
  step.add(1, "a", -1, 1);
  EXPECT_EQ(step.mean_logprob(), -2);
  EXPECT_EQ(step.mean_entropy(), 1.5);
}

// Feeds a sentence of six tokens; returns the verdict at its end.
std::optional<SearchCause> sentence(SearchTrigger& trigger, double entropy, double value,
                                    const std::string& word = " so") {
  EXPECT_FALSE(trigger.observe(1, "So", -1, entropy));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(trigger.observe(1, " very", -1, entropy));
  const bool marked = trigger.observe(1, word, -1, entropy);
  EXPECT_TRUE(marked || trigger.observe(1, ".", -1, entropy));
  return trigger.at_step_end(value);
}

TEST(SearchTrigger, FiresForEntropyFallingValueAndTheMarker) {
  SearchRequest request;
  request.mode = SearchMode::kAuto;
  request.entropy_threshold = 2;
  request.value_steps = 2;
  request.value_drop = 0.2;
  request.min_gap_tokens = 10;
  SearchTrigger trigger(request);
  EXPECT_EQ(sentence(trigger, 1, 0.8), std::nullopt);
  // The fall is measured over two steps, not one.
  EXPECT_EQ(sentence(trigger, 1, 0.5), std::nullopt);
  EXPECT_EQ(sentence(trigger, 1, 0.55), SearchCause::kValue);
  trigger.restart();
  EXPECT_EQ(sentence(trigger, 3, 0.8), std::nullopt);  // only 6 tokens since the last search
  EXPECT_EQ(sentence(trigger, 3, 0.8), SearchCause::kEntropy);
  trigger.restart();
  EXPECT_EQ(sentence(trigger, 1, 0.8), std::nullopt);
  EXPECT_EQ(sentence(trigger, 1, 0.8, " hm [search]"), SearchCause::kMarker);
  request.mode = SearchMode::kAlways;
  EXPECT_EQ(sentence(*std::make_unique<SearchTrigger>(request), 0, 0.5), SearchCause::kAlways);
}

}  // namespace
}  // namespace polyphon
