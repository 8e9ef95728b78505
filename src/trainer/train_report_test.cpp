#include "trainer/train_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace polyphon {
namespace {

using testing::HasSubstr;

Json line_for_test() {
  return {{"step", 3},
          {"of", 7},
          {"loss", {{"tokens", 1.5}}},
          {"learning_rate", 2e-4},
          {"tokens_per_second", 900.0},
          {"peak_memory_mb", 470},
          {"eta_seconds", 12.0}};
}

TEST(TrainReport, AStepIsOneLineAndItsValidationAnother) {
  Json line = line_for_test();
  EXPECT_EQ(describe_step(line),
            "step 3/7  loss 1.5000  lr 2.0e-04  900 tokens/s  470 MB  12 s left\n");
  line["validation"] = {{"loss", 1.25}, {"best_loss", 1.0}, {"best_step", 2}};
  EXPECT_THAT(describe_step(line), HasSubstr("held-out loss 1.2500, best 1.0000 at step 2\n"));
}

TEST(TrainReport, TheEndSaysHowToGoOnOrWhichStepWasKept) {
  TrainOptions options;
  options.out_folder = "folder";
  EXPECT_THAT(describe_outcome(TrainOutcome::kStopped, options, nullptr),
              HasSubstr("the checkpoint in folder"));
  EXPECT_EQ(describe_outcome(TrainOutcome::kDone, options, nullptr), "");
  EXPECT_EQ(describe_outcome(TrainOutcome::kDone, options, line_for_test()), "");
  Json line = line_for_test();
  line["validation"] = {{"loss", 1.25}, {"best_loss", 1.0}, {"best_step", 2}};
  EXPECT_THAT(describe_outcome(TrainOutcome::kDone, options, line), HasSubstr("step 2"));
}

}  // namespace
}  // namespace polyphon
