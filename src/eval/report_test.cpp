#include "eval/report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace polyphon {
namespace {

EvaluationSample sample(const std::string& arm, uint64_t seed, bool right,
                        const std::vector<bool>& streams = {}) {
  EvaluationSample made;
  made.arm = arm;
  made.family = seed % 2 ? "counting" : "dates";
  made.difficulty = 1;
  made.seed = seed;
  made.right = right;
  made.answer = "4";
  made.thought_tokens = 100;
  made.answer_ms = 1000.0 * static_cast<double>(seed);
  for (const bool each : streams) made.streams.push_back({"direct", each, true, 10});
  return made;
}

TEST(EvaluationReport, PairsOverTheProblemsThatBothArmsHave) {
  const std::vector<EvaluationSample> samples = {sample("a", 1, true), sample("a", 2, false),
                                                 sample("a", 3, true), sample("b", 1, true),
                                                 sample("b", 2, true), sample("b", 9, false)};
  const EvaluationReport report = report_of(samples, {"a", "b", "none"}, "a");
  ASSERT_EQ(report.arms.size(), 2u);
  const ArmReport& b = report.arms[1];
  EXPECT_EQ(b.problems, 3);
  EXPECT_NEAR(b.accuracy.mean, 2.0 / 3, 1e-12);
  EXPECT_EQ(b.paired_problems, 2);
  EXPECT_NEAR(b.gain.mean, 0.5, 1e-12);
  EXPECT_EQ(report.arms[0].gain.mean, 0);
  EXPECT_EQ(report.arms[0].answer_s, 2);
}

TEST(EvaluationReport, ReportsStreamsAndTheirMergeSeparately) {
  const std::vector<EvaluationSample> samples = {
      sample("a", 1, false, {true, false}), sample("a", 2, false, {false, false}),
      sample("a", 3, true, {true, true}), sample("a", 4, false, {false, true})};
  const StreamFigures streams = report_of(samples, {"a"}, "a").arms.front().streams;
  EXPECT_EQ(streams.streams, 2);
  EXPECT_EQ(streams.accuracy, 0.5);
  EXPECT_EQ(streams.any_right, 0.75);
  EXPECT_NEAR(streams.error_correlation, 0, 1e-12);
  EXPECT_NEAR(streams.effective_streams, 2, 1e-12);
}

TEST(EvaluationReport, SlicesByFamilyAndLeavesGapsWithoutSamples) {
  const std::vector<EvaluationSample> samples = {sample("a", 1, true), sample("a", 3, false),
                                                 sample("b", 2, true)};
  const EvaluationReport report = report_of(samples, {"a", "b"}, "a");
  ASSERT_EQ(report.slices.size(), 2u);
  EXPECT_EQ(report.slices[0].family, "counting");
  EXPECT_EQ(report.slices[0].problems, 2);
  EXPECT_EQ(report.slices[0].accuracy[0], 0.5);
  EXPECT_TRUE(std::isnan(report.slices[0].accuracy[1]));
  EXPECT_EQ(report.arms[1].paired_problems, 0);
  EXPECT_TRUE(to_json(report)["slices"][0]["accuracy"]["b"].is_null());
  EXPECT_NE(to_markdown(report, 1024).find("| counting | 1 | 2 | 50 |  |"), std::string::npos);
}

TEST(EvaluationReport, ShowsTheWastedShareOfSearches) {
  EvaluationSample searched = sample("a", 1, true);
  searched.search_tokens = 200;
  searched.search_committed_tokens = 50;
  EXPECT_EQ(report_of({searched}, {"a"}, "a").arms.front().search_waste, 0.75);
}

class EvaluationFileTest : public ::testing::Test {
 protected:
  std::string write(const std::string& text) {
    std::ofstream(path_) << text;
    return path_;
  }
  void TearDown() override { std::filesystem::remove(path_); }
  const std::string path_ =
      (std::filesystem::temp_directory_path() /
       (std::string("evaluation-") +
        ::testing::UnitTest::GetInstance()->current_test_info()->name() + ".jsonl"))
          .string();
  const std::string header_ = R"({"evaluation": {"suite": "s"}})"
                              "\n";
};

TEST_F(EvaluationFileTest, GivesBackWhatWasWritten) {
  const EvaluationSample before = sample("a", 3, true, {true, false});
  const EvaluationFile file = read_evaluation(write(header_ + to_json(before).dump() + "\n"));
  EXPECT_EQ(file.header.at("suite"), "s");
  ASSERT_EQ(file.samples.size(), 1u);
  EXPECT_EQ(to_json(file.samples[0]), to_json(before));
}

TEST_F(EvaluationFileTest, LeavesOutALineThatAKilledRunCutOff) {
  const std::string line = to_json(sample("a", 3, true)).dump();
  const auto file = read_evaluation(write(header_ + line + "\n" + line.substr(0, 30)));
  EXPECT_EQ(file.samples.size(), 1u);
}

TEST_F(EvaluationFileTest, NamesALineThatIsDamaged) {
  const std::string line = to_json(sample("a", 3, true)).dump();
  const auto refusal = [&](const std::string& text) -> std::string {
    try {
      read_evaluation(write(text));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(refusal(header_ + "{]\n" + line + "\n").find("line 2: not JSON"), std::string::npos);
  EXPECT_NE(refusal(header_ + "{\"arm\": 5}\n").find("line 2: not a sample"), std::string::npos);
  EXPECT_NE(refusal(line + "\n").find("line 1: not the header"), std::string::npos);
  EXPECT_NE(refusal("").find("empty"), std::string::npos);
}

}  // namespace
}  // namespace polyphon
