#include "eval/arm_figures.h"

#include <gtest/gtest.h>

namespace polyphon {
namespace {

EvaluationSample sample(const std::vector<bool>& streams) {
  EvaluationSample made;
  for (const bool right : streams) made.streams.push_back({"direct", right, true, 10});
  return made;
}

TEST(ArmFigures, OfStreamsEqualAHandCalculation) {
  const EvaluationSample both = sample({true, true}), one = sample({true, false}),
                         none = sample({false, false});
  EXPECT_EQ(stream_success(one), 0.5);
  // Errors 00, 01, 11: the streams are wrong in 1/3 and 2/3 of the sessions, both together in 1/3.
  // The covariance is 1/3 - 2/9, and both variances are 2/9.
  const StreamFigures figures = stream_figures({&both, &one, &none});
  EXPECT_EQ(figures.streams, 2);
  EXPECT_EQ(figures.accuracy, 0.5);
  EXPECT_NEAR(figures.any_right, 2.0 / 3, 1e-12);
  EXPECT_NEAR(figures.error_correlation, 0.5, 1e-12);
  EXPECT_NEAR(figures.effective_streams, 2 / 1.5, 1e-12);
}

TEST(ArmFigures, IndependenceIsUnknownIfSessionsDifferInStreams) {
  const EvaluationSample two = sample({true, false}), one = sample({true}), none = sample({});
  const StreamFigures figures = stream_figures({&two, &one});
  EXPECT_EQ(figures.streams, 0);
  EXPECT_NEAR(figures.accuracy, 2.0 / 3, 1e-12);
  EXPECT_EQ(figures.any_right, 1);
  EXPECT_EQ(figures.effective_streams, 0);
  EXPECT_EQ(stream_figures({}).any_right, 0);
  EXPECT_EQ(stream_figures({&none}).accuracy, 0);
  EXPECT_EQ(stream_success(none), 0);
}

TEST(ArmFigures, WasteIsAShareOfAllSearchedTokens) {
  EvaluationSample much = sample({}), little = sample({});
  much.search_tokens = 300;
  much.search_committed_tokens = 30;
  little.search_tokens = 100;
  little.search_committed_tokens = 70;
  EXPECT_EQ(search_waste({&much, &little}), 0.75);
  const EvaluationSample nothing = sample({});
  EXPECT_EQ(search_waste({&nothing}), 0);
}

}  // namespace
}  // namespace polyphon
