#include "record/example.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/error.h"

namespace polyphon {
namespace {

using Json = nlohmann::json;

// A prompt of two, two streams of two, and an answer that sees all but the first stream's last row.
Example merged() {
  Example example;
  example.tokens = {1, 2, 3, 4, 5, 6, 7, 8};
  example.targets = {{3, 4, 1}, {6, 8, 0.5f, 5}};
  example.runs = {
      {0, 2, 0, {}}, {2, 4, 2, {{0, 2}}}, {4, 6, 2, {{0, 2}}}, {6, 8, 4, {{0, 3}, {4, 6}}}};
  return example;
}

std::set<int> seen_by(const Example& example, int row) {
  std::set<int> seen;
  const Visibility visibility = visibility_of(example);
  visibility.row(row).for_each([&](int other) { seen.insert(other); });
  return seen;
}

TEST(Example, SurvivesJson) {
  const Json json = to_json(merged());
  EXPECT_EQ(json.dump(),
            R"({"runs":[[0,2,0,[]],[2,4,2,[[0,2]]],[4,6,2,[[0,2]]],[6,8,4,[[0,3],[4,6]]]],)"
            R"("targets":[[3,4,1.0],[6,8,0.5,5]],"tokens":[1,2,3,4,5,6,7,8]})");
  const Example read = example_from_json(json);
  EXPECT_EQ(read.tokens, merged().tokens);
  EXPECT_EQ(read.targets, merged().targets);
  EXPECT_EQ(read.runs, merged().runs);
  EXPECT_EQ(read.target_tokens(), 3);
}

TEST(Example, SummariesSurviveJson) {
  Example example = merged();
  example.summaries = {0.25f, {{{2, 3}}, {{4, 5}, {6, 8}}}};
  const Json json = to_json(example);
  EXPECT_EQ(json["summaries"].dump(), R"({"streams":[[[2,3]],[[4,5],[6,8]]],"weight":0.25})");
  EXPECT_EQ(example_from_json(json).summaries, example.summaries);
  EXPECT_EQ(example_from_json(to_json(merged())).summaries, StreamSummaries());
}

TEST(Example, PromotionsSurviveJson) {
  Example example = merged();
  example.promotions = {{{0.5f, 1}, 3, 0.25f}, {{0, 0.25f}, -1, 0}};
  example.runs[3].brought = {{0, 2, 1}, {4, 6, 0}};
  const Json json = to_json(example);
  EXPECT_EQ(json["runs"][3].dump(), "[6,8,4,[[0,3],[4,6]],[[0,2,1],[4,6,0]]]");
  EXPECT_EQ(json["promotions"][0].dump(), R"({"effect":0.25,"features":[0.5,1.0],"state":3})");
  const Example read = example_from_json(json);
  EXPECT_EQ(read.runs, example.runs);
  EXPECT_EQ(read.promotions, example.promotions);
  EXPECT_TRUE(read.learns_effects());
  EXPECT_FALSE(to_json(merged()).contains("promotions"));
}

TEST(Example, AnEffectAloneIsEnoughToLearn) {
  Json json = to_json(merged());
  json["targets"] = Json::array();
  json["promotions"] = {{{"features", {1.0}}, {"state", 3}, {"effect", -0.5}}};
  EXPECT_TRUE(example_from_json(json).targets.empty());
  json["promotions"][0]["effect"] = 0;
  EXPECT_THROW(example_from_json(json), Error);
}

TEST(Example, RunsDefinePositionsAndVisibility) {
  const Example example = merged();
  EXPECT_EQ(positions_of(example), (std::vector<Position>{0, 1, 2, 3, 2, 3, 4, 5}));
  EXPECT_EQ(seen_by(example, 1), (std::set<int>{0, 1}));
  EXPECT_EQ(seen_by(example, 4), (std::set<int>{0, 1, 4}));
  EXPECT_EQ(seen_by(example, 7), (std::set<int>{0, 1, 2, 4, 5, 6, 7}));
  EXPECT_FALSE(is_plain(example));
}

TEST(Example, RunsThatContinueEachOtherArePlain) {
  Example example = merged();
  example.runs = {{0, 3, 0, {}}, {3, 8, 3, {{0, 3}}}};
  EXPECT_TRUE(is_plain(example));
  const Example whole{0, example.tokens, {}, {}};
  EXPECT_TRUE(is_plain(whole));
  EXPECT_EQ(positions_of(example), positions_of(whole));
  for (int row = 0; row < 8; ++row) EXPECT_EQ(seen_by(example, row), seen_by(whole, row));
  example.runs[1].position = 4;
  EXPECT_FALSE(is_plain(example));
  example.runs[1] = {3, 8, 3, {{1, 3}}};
  EXPECT_FALSE(is_plain(example));
}

TEST(Example, RefusesContradictoryExamples) {
  const auto refusal = [](const std::string& member, const std::string& value) {
    Json json = to_json(merged());
    json[member] = Json::parse(value);
    try {
      example_from_json(json);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const auto expect = [&](const char* member, const char* value, const char* why) {
    EXPECT_NE(refusal(member, value).find(why), std::string::npos) << refusal(member, value);
  };
  expect("runs", "[]", "cover all 8 rows");
  expect("runs", "[[0,7,0,[]]]", "cover all 8 rows");
  expect("runs", "[[0,9,0,[]]]", "end by 8");
  expect("runs", "[[0,2,0,[]],[3,8,2,[]]]", "must begin at 2");
  expect("runs", "[[0,2,0,[]],[2,8,-1,[]]]", "position is -1");
  expect("runs", "[[0,2,0,[]],[2,8,2,[[0,3]]]]", "lie before the run");
  expect("runs", "[[0,2,0,[]],[2,8,2,[[1,2],[0,1]]]]", "must rise");
  expect("runs", "[[0,8,0]]", "a run is [0,8,0]");
  expect("targets", "[]", "no target");
  expect("targets", "[[3,5,1]]", "within [3, 4)");  // across runs
  expect("targets", "[[2,4,1]]", "within [3, 4)");  // a run's first row comes from elsewhere
  expect("targets", "[[2,4,1,2]]", "cannot be predicted from row 2");
  expect("targets", "[[3,4]]", "a target is [3,4]");
  expect("runs", "[[0,2,0,[]],[2,8,2,[[0,2]],[[0,3,0]]]]", "does not see [0, 3)");
  expect("runs", "[[0,2,0,[]],[2,8,2,[[0,2]],[[0,2,0]]]]", "names promotion 0 of 0");
  expect("promotions", R"([{"features":[1],"state":8,"effect":0}])", "a promotion is");
  expect("summaries", R"({"weight":1,"streams":[[[0,2]]]})", "two streams");
  expect("summaries", R"({"weight":1,"streams":[[[0,2]],[[7,9]]]})", "within [0, 8)");
  expect("summaries", R"({"weight":1,"streams":[[[0,2]],[]]})", "a stream's rows are []");
  expect("summaries", R"({"weight":-1,"streams":[[[0,2]],[[2,3]]]})", "weight is -1");
}

}  // namespace
}  // namespace polyphon
