#include "app/progress.h"

#include <gtest/gtest.h>

namespace polyphon {
namespace {

TEST(Progress, DurationsHaveTwoUnitsAtMost) {
  EXPECT_EQ(duration_text(0.2), "0 s");
  EXPECT_EQ(duration_text(59.4), "59 s");
  EXPECT_EQ(duration_text(59.7), "1 min 0 s");
  EXPECT_EQ(duration_text(245), "4 min 5 s");
  EXPECT_EQ(duration_text(7800), "2 h 10 min");
}

TEST(Progress, EstimatesFromThisRunAlone) {
  EXPECT_EQ(progress_text("samples", 0, 0, 78, 5), "0 of 78 samples (0 %)");
  EXPECT_EQ(progress_text("samples", 0, 39, 78, 60),
            "39 of 78 samples (50 %), 0.7/s, 1 min 0 s left");
  // An earlier run did 38; the one of this run took a minute.
  EXPECT_EQ(progress_text("samples", 38, 39, 78, 60),
            "39 of 78 samples (50 %), 1.0/min, 39 min 0 s left");
  EXPECT_EQ(progress_text("samples", 0, 78, 78, 78), "78 of 78 samples (100 %), 1.0/s, 0 s left");
}

}  // namespace
}  // namespace polyphon
