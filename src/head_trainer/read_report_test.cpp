#include "head_trainer/read_report.h"

#include <gtest/gtest.h>

namespace polyphon {
namespace {

double mean(const Json& line, const char* name) { return line.at(name).at("mean").get<double>(); }

TEST(ReadReport, CountsWhatIsFirstAndWhatPassesTheThreshold) {
  ReadArm good{"good", {}, 0.5, 0.5}, poor{"poor", {}, 2, 0.5};
  for (int session = 0; session < 10; ++session) {
    // Wanted: first, with a sufficient score; first, too low; third. Then one that wants nothing.
    good.looks.push_back({session, true, 0, 1, 0.75});
    good.looks.push_back({session, true, 0, 1, 0.25});
    good.looks.push_back({session, true, 2, 0, 0.75});
    good.looks.push_back({session, false, 0, 0, 0.75});
    poor.looks.push_back({session, true, 1, 0, 0.75});
    poor.looks.push_back({session, true, 0.5, 0.5, 0.75});
    poor.looks.push_back({session, true, 3, 0, 0.75});
    poor.looks.push_back({session, false, 0, 0, 0.25});
  }
  const auto lines = report_read({good, poor});
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_DOUBLE_EQ(mean(lines[0], "recall_at_1"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(mean(lines[0], "mrr"), (1 + 1 + 1.0 / 3) / 3);
  EXPECT_DOUBLE_EQ(mean(lines[0], "found"), 1.0 / 3);
  EXPECT_EQ(mean(lines[0], "in_vain"), 1);
  EXPECT_EQ(mean(lines[1], "in_vain"), 0);
  EXPECT_DOUBLE_EQ(mean(lines[1], "recall_at_1"), 0.5 / 3);
  EXPECT_DOUBLE_EQ(mean(lines[1], "recall_at_1_gain"), 1.5 / 3);
  EXPECT_DOUBLE_EQ(lines[1].at("recall_at_1_gain").at("low").get<double>(), 1.5 / 3);
  EXPECT_FALSE(lines[0].contains("recall_at_1_gain"));
}

}  // namespace
}  // namespace polyphon
