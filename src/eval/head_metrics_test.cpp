#include "eval/head_metrics.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "core/version.h"

namespace polyphon {
namespace {

Json interval(double mean) {
  return {{"mean", mean}, {"low", mean - 0.125}, {"high", mean + 0.125}};
}

Json bins() { return {{{"count", 9}, {"predicted", 0.25}, {"observed", 0.5}}}; }

// Lines in the form that polyphon-train writes.
std::vector<Json> lines() {
  return {{{"data", {{"traces", 8}}}},
          {{"head", "value"}, {"written", "what was there"}, {"why", "too few problems"}},
          {{"head", "gate"},
           {"arm", "features"},
           {"precision", interval(0.5)},
           {"recall", interval(0.25)},
           {"average_precision", interval(0.375)},
           {"calibration", bins()}},
          {{"head", "gate"},
           {"arm", "untrained"},
           {"precision", interval(0.25)},
           {"recall", interval(0.75)},
           {"average_precision", interval(0.25)},
           {"average_precision_gain", interval(0.125)},
           {"calibration", bins()}},
          {{"head", "gate"}, {"arm", "constant"}, {"precision", interval(0.25)}},
          {{"head", "gate"}, {"written", "features"}},
          {{"head", "topology"}, {"arm", "features"}, {"calibration", bins()}}};
}

class HeadMetricsTest : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, const std::vector<Json>& lines) const {
    std::ofstream file(folder_ + "/" + name);
    for (const Json& line : lines) file << line.dump() << '\n';
    return folder_ + "/" + name;
  }
  const std::string name_ = ::testing::UnitTest::GetInstance()->current_test_info()->name();
  const std::string folder_ =
      (std::filesystem::temp_directory_path() / ("heads-of-" + name_)).string();
};

TEST_F(HeadMetricsTest, AreReadFromAVersionOrAFile) {
  write_version(folder_, {"night-1", "base", "data", Json::object(), {{"heads", lines()}}});
  const MeasuredHeads version = read_measured_heads(folder_);
  EXPECT_EQ(version.name, "heads-of-" + name_);
  EXPECT_EQ(version.lines, lines());
  EXPECT_EQ(read_measured_heads(folder_ + "/").name, version.name);
  const MeasuredHeads file = read_measured_heads(write("heads.jsonl", lines()));
  EXPECT_EQ(file.name, version.name);
  EXPECT_EQ(file.lines, lines());
  EXPECT_EQ(read_measured_heads(write("2026-01-01-heads-M-cold.jsonl", lines())).name, "M-cold");
}

TEST_F(HeadMetricsTest, AVersionWithoutTrainedHeadsHasNone) {
  for (const Json& metrics : {Json(), Json::object(), Json({{"loss", 1}})}) {
    write_version(folder_, {"night-1", "base", "data", Json::object(), metrics});
    EXPECT_TRUE(read_measured_heads(folder_).lines.empty());
  }
  EXPECT_EQ(to_markdown(std::vector<MeasuredHeads>{read_measured_heads(folder_)}), "");
}

TEST_F(HeadMetricsTest, RefuseOtherFilesAndFolders) {
  EXPECT_THROW(read_measured_heads(folder_ + "/missing.jsonl"), Error);
  EXPECT_THROW(read_measured_heads(folder_), Error) << "a folder that is not a version";
  try {
    read_measured_heads(write("heads.jsonl", {Json::object(), "text"}));
    FAIL() << "a bad line was not refused";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("heads.jsonl line 2"), std::string::npos);
  }
}

TEST(HeadMetrics, StandBesideTheirBaselines) {
  const std::string text =
      to_markdown(std::vector<MeasuredHeads>{{"base", {}}, {"night-1", lines()}});
  EXPECT_EQ(
      text,
      "\n| gate, at p > 0.5, of | arm | precision | recall | average precision | the written "
      "one's gain in it |\n|---|---|---:|---:|---:|---:|\n"
      "| night-1 | features (written) | 0.500 (0.375 to 0.625) | 0.250 (0.125 to 0.375) | "
      "0.375 (0.250 to 0.500) |  |\n"
      "| night-1 | untrained | 0.250 (0.125 to 0.375) | 0.750 (0.625 to 0.875) | 0.250 (0.125 "
      "to 0.375) | +0.125 (+0.000 to +0.250) |\n"
      "| night-1 | constant | 0.250 (0.125 to 0.375) |  |  |  |\n");
}

TEST(HeadMetrics, HaveOnePanelPerHead) {
  const auto panels = calibration_panels({{"base", {}}, {"night-1", lines()}});
  ASSERT_EQ(panels.size(), 2u) << "the value head was not trained";
  EXPECT_EQ(panels[0].title, "gate head");
  EXPECT_EQ(panels[0].subtitle, "night-1");
  ASSERT_EQ(panels[0].lines.size(), 2u) << "a constant has no calibration";
  EXPECT_TRUE(panels[0].lines[0].written);
  EXPECT_FALSE(panels[0].lines[1].written);
  EXPECT_EQ(panels[0].lines[1].name, "untrained");
  ASSERT_EQ(panels[0].lines[1].bins.size(), 1u);
  EXPECT_EQ(panels[0].lines[1].bins[0].count, 9);
  EXPECT_EQ(panels[0].lines[1].bins[0].observed, 0.5);
  EXPECT_EQ(panels[1].title, "topology head");
  EXPECT_THROW(calibration_panels({{"base", {}}}), Error);
}

}  // namespace
}  // namespace polyphon
