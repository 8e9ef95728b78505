#include "trainer/dataset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "trainer/batch_plan.h"

namespace polyphon {
namespace {

class DatasetTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  std::vector<Example> read(const std::string& text) const {
    std::ofstream(path_) << text;
    return read_examples(path_, limits_);
  }
  std::string refusal(const std::string& text) const {
    try {
      read(text);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  const ExampleLimits limits_{"our model", 100, 8};
  const std::string path_ =
      (std::filesystem::temp_directory_path() /
       (std::string("data-") + ::testing::UnitTest::GetInstance()->current_test_info()->name()))
          .string();
};

TEST_F(DatasetTest, ReadsExamples) {
  const auto examples = read(
      "{\"tokens\": [1, 2, 3], \"targets\": [[1, 3, 0.5]]}\n\n"
      "{\"tokens\": [4, 5], \"targets\": [[1, 2, -1]]}\n");
  ASSERT_EQ(examples.size(), 2u);
  EXPECT_EQ(examples[0].tokens, (Tokens{1, 2, 3}));
  EXPECT_EQ(examples[0].targets[0].end, 3);
  EXPECT_EQ(examples[0].targets[0].weight, 0.5f);
  EXPECT_EQ(examples[1].line, 3);
}

TEST_F(DatasetTest, RefusesTokensOfAnotherModel) {
  const std::string good = "{\"tokens\": [1, 2], \"targets\": [[1, 2, 1]]}\n";
  EXPECT_EQ(read("{\"model_digest\": \"our model\"}\n" + good).at(0).line, 2);
  EXPECT_NE(refusal("{\"model_digest\": \"another\"}\n" + good)
                .find("line 1: these are tokens of model another, this is our model"),
            std::string::npos);
}

TEST_F(DatasetTest, RefusesBadLinesByNumber) {
  const std::string good = "{\"tokens\": [1, 2], \"targets\": [[1, 2, 1]]}\n";
  const auto expect = [&](const std::string& line, const std::string& why) {
    const std::string found = refusal(good + line);
    EXPECT_NE(found.find("line 2"), std::string::npos) << found;
    EXPECT_NE(found.find(why), std::string::npos) << found;
  };
  expect("{\"tokens\": [1", "parse error");
  expect("{\"tokens\": [1]}", "targets");
  expect("{\"tokens\": [1, 100], \"targets\": [[1, 2, 1]]}", "token 100 is not in");
  expect("{\"tokens\": [1, 2], \"targets\": [[0, 2, 1]]}", "must lie within [1, 2)");
  expect("{\"tokens\": [1, 2], \"targets\": [[1, 3, 1]]}", "must lie within [1, 2)");
  expect("{\"tokens\": [1, 2], \"targets\": []}", "no target");
  expect("{\"tokens\": [1,2,3,4,5,6,7,8,9], \"targets\": [[1, 2, 1]]}", "--batch-tokens must be 9");
  expect(R"({"tokens": [1, 2], "targets": [[1, 2, 1]],)"
         R"( "promotions": [{"features": [1, 2], "state": 0, "effect": 1}]})",
         "2 features, the gate 6");
  EXPECT_NE(refusal("\n").find("holds no example"), std::string::npos);
  EXPECT_THROW(read_examples(path_ + ".none", limits_), Error);
}

std::vector<Example> examples_of_lengths(const std::vector<int>& lengths) {
  std::vector<Example> examples;
  for (size_t i = 0; i < lengths.size(); ++i)
    examples.push_back({static_cast<int>(i) + 1,
                        Tokens(static_cast<size_t>(lengths[i]), 5),
                        {{1, lengths[i], 1}}});
  return examples;
}

TEST(BatchPlan, AnEpochHasEveryExampleOnceInAnOrderOfItsOwn) {
  const auto examples = examples_of_lengths({3, 4, 5, 2, 6, 3, 3, 7, 2, 2});
  BatchPlan plan(examples, 8, 1);
  DataPosition position;
  std::vector<std::vector<int>> lines(2);
  int64_t batches = 0;
  while (position.epoch < 2) {
    auto& epoch = lines[static_cast<size_t>(position.epoch)];
    const TrainingBatch batch = plan.take(position);
    EXPECT_LE(batch.tokens.rows(), 8);
    EXPECT_EQ(batch.tokens.segments.size(), batch.lines.size());
    epoch.insert(epoch.end(), batch.lines.begin(), batch.lines.end());
    ++batches;
  }
  EXPECT_EQ(plan.batches_in(2), batches);
  EXPECT_NE(lines[0], lines[1]);
  for (auto& epoch : lines) {
    std::sort(epoch.begin(), epoch.end());
    EXPECT_EQ(epoch, (std::vector<int>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
  }
}

TEST(BatchPlan, GoesOnFromAPositionAlone) {
  const auto examples = examples_of_lengths({3, 4, 5, 2, 6, 3, 3, 7, 2, 2});
  BatchPlan plan(examples, 8, 1);
  DataPosition position;
  for (int i = 0; i < 7; ++i) plan.take(position);
  DataPosition resumed = position;
  BatchPlan fresh(examples, 8, 1);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(plan.take(position).lines, fresh.take(resumed).lines);
    EXPECT_EQ(position, resumed);
  }
}

TEST(BatchPlan, TargetsArePredictedFromTheRowBefore) {
  std::vector<Example> examples{{1, {10, 11, 12, 13}, {{2, 4, 0.5f}}}};
  BatchPlan plan(examples, 8, 1);
  DataPosition position;
  const TrainingBatch batch = plan.take(position);
  EXPECT_EQ(batch.rows, (std::vector<int>{1, 2}));
  EXPECT_EQ(batch.targets, (std::vector<int64_t>{12, 13}));
  EXPECT_EQ(batch.weights, (std::vector<float>{0.5f, 0.5f}));
}

TEST(BatchPlan, RunsBecomePositionsAndVisibility) {
  std::vector<Example> examples{{1, {10, 11}, {{1, 2, 1}}},
                                {2,
                                 {20, 21, 22, 23},
                                 {{3, 4, 1, 1}},
                                 {{0, 2, 0, {}}, {2, 3, 2, {{0, 1}}}, {3, 4, 2, {}}},
                                 {0.5f, {{{2, 3}}, {{0, 1}, {3, 4}}}}}};
  BatchPlan plan(examples, 8, 1);
  DataPosition position;
  const TrainingBatch batch = plan.take(position);
  ASSERT_EQ(batch.lines.size(), 2u);
  const int begin = batch.lines[0] == 2 ? 0 : 2;
  const Segment& segment = batch.tokens.segments[batch.lines[0] == 2 ? 0 : 1];
  ASSERT_EQ(segment.begin, begin);
  ASSERT_TRUE(segment.visibility);
  EXPECT_TRUE(segment.visibility->sees(2, 0));
  EXPECT_FALSE(segment.visibility->sees(2, 1));
  EXPECT_FALSE(segment.visibility->sees(3, 0));
  EXPECT_EQ(batch.tokens.positions[static_cast<size_t>(begin + 3)], 2);
  const auto target = std::find(batch.targets.begin(), batch.targets.end(), 23);
  ASSERT_NE(target, batch.targets.end());
  EXPECT_EQ(batch.rows[static_cast<size_t>(target - batch.targets.begin())], begin + 1);
}

}  // namespace
}  // namespace polyphon
