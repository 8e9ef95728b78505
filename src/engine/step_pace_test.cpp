#include "engine/step_pace.h"

#include <gtest/gtest.h>

#include <vector>

namespace polyphon {
namespace {

using Chunk = StepPace::Chunk;

// A machine whose pass costs `overhead` ms, `row` a row, and `kilocell` a row and 1,024 cells.
struct Machine {
  double overhead, row, kilocell;
  double takes(const Chunk& chunk) const {
    return overhead + chunk.rows * (row + kilocell * (chunk.begin + chunk.rows / 2.0) / 1024);
  }
};

TEST(StepPace, TakesAFewRowsBeforeAnyWasMeasured) {
  const StepPace pace;
  EXPECT_EQ(pace.rows_within(150, 0), 32);
  EXPECT_EQ(pace.rows_within(150, 100'000), 32);
}

TEST(StepPace, ChunksOfALongPromptStayWithinTheirTime) {
  for (const Machine& machine : {Machine{0, 1, 0}, Machine{20, 0.5, 0.4}, Machine{5, 4, 3}}) {
    StepPace pace;
    int begin = 0, chunks = 0;
    while (begin < 8000) {
      const Chunk chunk{std::max(1, pace.rows_within(100, begin)), begin};
      const double took = machine.takes(chunk);
      if (chunks++ > 8) {
        EXPECT_LT(took, 120) << "at " << begin;
        EXPECT_GT(took, 60) << "at " << begin;
      }
      pace.prompts_took(std::vector{chunk}, took);
      begin += chunk.rows;
    }
  }
}

TEST(StepPace, KnowsThatALaterPlaceInAPromptCostsMore) {
  const Machine machine{0, 1, 1};
  StepPace pace;
  for (int begin = 0; begin < 4000; begin += 200)
    pace.prompts_took(std::vector{Chunk{200, begin}}, machine.takes({200, begin}));
  for (int i = 0; i < 10; ++i)  // another prompt, from its beginning on
    pace.prompts_took(std::vector{Chunk{100, 0}}, machine.takes({100, 0}));
  const int late = pace.rows_within(100, 6000), early = pace.rows_within(100, 0);
  EXPECT_LT(machine.takes({late, 6000}), 130);
  EXPECT_LT(machine.takes({early, 0}), 130);
  EXPECT_LT(late * 3, early);
}

TEST(StepPace, OnePassThatWasHeldUpIsSoonForgotten) {
  StepPace pace;
  for (int i = 0; i < 4; ++i) pace.prompts_took(std::vector{Chunk{100, 0}}, 100);
  EXPECT_NEAR(pace.rows_within(100, 0), 100, 5);
  pace.prompts_took(std::vector{Chunk{100, 0}}, 2000);
  EXPECT_GE(pace.rows_within(100, 0), 9);
  for (int i = 0; i < 6; ++i) pace.prompts_took(std::vector{Chunk{100, 0}}, 100);
  EXPECT_NEAR(pace.rows_within(100, 0), 100, 25);
}

TEST(StepPace, AGapIsAtMost150MsOrTwoAndAHalfSteps) {
  StepPace pace;
  EXPECT_NEAR(pace.prompt_ms_beside_streams(), 0.85 * 150, 0.1) << "with a margin";
  for (int i = 0; i < 50; ++i) pace.sampled_rows_took(40);
  EXPECT_NEAR(pace.prompt_ms_beside_streams(), 0.85 * 150 - 40, 0.1);
  for (int i = 0; i < 50; ++i) pace.sampled_rows_took(400);
  EXPECT_NEAR(pace.prompt_ms_beside_streams(), 600, 0.1);
}

}  // namespace
}  // namespace polyphon
