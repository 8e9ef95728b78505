#include "eval/comparison.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace polyphon {
namespace {

EvaluationSample sample(const std::string& family, uint64_t seed, bool right, int streams_right,
                        const std::string& arm = "vote") {
  EvaluationSample sample;
  sample.arm = arm;
  sample.family = family;
  sample.difficulty = 1;
  sample.seed = seed;
  sample.right = right;
  for (int i = 0; i < 4; ++i) sample.streams.push_back({"direct", i < streams_right, true, 9});
  return sample;
}

const Comparison& slice(const EvaluationComparison& all, const std::string& name) {
  for (const Comparison& each : all.slices)
    if (each.slice == name) return each;
  throw Error(ErrorCode::kNotFound, name);
}

const ArmFigure& figure(const ArmComparison& arm, const std::string& name) {
  for (const ArmFigure& each : arm.figures)
    if (each.name == name) return each;
  throw Error(ErrorCode::kNotFound, name);
}

TEST(Comparison, PairsByProblemWhateverTheOrder) {
  std::vector<EvaluationSample> before, after;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    before.push_back(sample("sums", seed, seed % 2 == 0, 1));
    after.insert(after.begin(), sample("sums", seed, seed % 2 == 0 || seed == 1, 3));
  }
  const auto all = compare_evaluations(before, after);
  const Comparison& sums = slice(all, "sums");
  EXPECT_EQ(sums.problems, 20);
  EXPECT_DOUBLE_EQ(sums.answers.before.mean, 0.5);
  EXPECT_DOUBLE_EQ(sums.answers.after.mean, 0.55);
  EXPECT_GE(sums.answers.gain.low, 0) << "no problem got worse; only paired samples show this";
  EXPECT_DOUBLE_EQ(sums.streams.gain.mean, 0.5);
  EXPECT_DOUBLE_EQ(sums.streams.gain.low, 0.5);
  EXPECT_EQ(slice(all, "all").problems, 20);
  EXPECT_EQ(slice(all, "sums/1").problems, 20);
}

TEST(Comparison, LeavesOutWhatOneEvaluationLacks) {
  const std::vector<EvaluationSample> before = {
      sample("sums", 1, true, 4), sample("gcd", 1, false, 0), sample("sums", 1, true, 4, "short")};
  const std::vector<EvaluationSample> after = {sample("sums", 1, false, 0),
                                               sample("sums", 2, false, 0)};
  const auto all = compare_evaluations(before, after);
  ASSERT_EQ(all.slices.size(), 3u);
  for (const Comparison& each : all.slices) {
    EXPECT_EQ(each.arm, "vote");
    EXPECT_EQ(each.problems, 1);
    EXPECT_DOUBLE_EQ(each.answers.gain.mean, -1);
  }
  ASSERT_EQ(all.arms.size(), 1u);
  EXPECT_EQ(all.arms[0].problems, 1);
  EXPECT_THROW(compare_evaluations({sample("sums", 1, true, 4)}, {sample("sums", 2, true, 4)}),
               Error);
}

TEST(Comparison, IsLimitedToTheNamedArms) {
  const std::vector<EvaluationSample> both = {sample("sums", 1, true, 4),
                                              sample("sums", 1, true, 4, "short")};
  EXPECT_EQ(compare_evaluations(both, both).arms.size(), 2u);
  const auto one = compare_evaluations(both, both, {"short"});
  ASSERT_EQ(one.arms.size(), 1u);
  EXPECT_EQ(one.arms[0].arm, "short");
  EXPECT_THROW(compare_evaluations(both, both, {"kv"}), Error);
}

// Before: two streams that always err together, so c = 1. After: each combination once, so c = 0,
// and three of four sessions have a right stream.
TEST(Comparison, ComparesHowIndependentStreamsAre) {
  std::vector<EvaluationSample> before, after;
  for (const bool first : {false, true})
    for (const bool second : {false, true}) {
      const uint64_t seed = before.size();
      for (auto* of : {&before, &after}) of->push_back(sample("sums", seed, first, 0));
      before.back().streams = {{"direct", first, true, 9}, {"direct", first, true, 9}};
      after.back().streams = {{"direct", first, true, 9}, {"direct", second, true, 9}};
    }
  const ArmComparison arm = compare_evaluations(before, after).arms.at(0);
  const ArmFigure& any = figure(arm, "any_right");
  EXPECT_DOUBLE_EQ(any.before->mean, 0.5);
  EXPECT_DOUBLE_EQ(any.after->mean, 0.75);
  EXPECT_DOUBLE_EQ(any.gain->mean, 0.25);
  EXPECT_GE(any.gain->low, 0) << "no problem lost its only right stream";
  const ArmFigure& correlation = figure(arm, "error_correlation");
  EXPECT_DOUBLE_EQ(correlation.before->mean, 1);
  EXPECT_DOUBLE_EQ(correlation.after->mean, 0);
  EXPECT_DOUBLE_EQ(correlation.gain->mean, -1);
  const ArmFigure& effective = figure(arm, "effective_streams");
  EXPECT_DOUBLE_EQ(effective.before->mean, 1);
  EXPECT_DOUBLE_EQ(effective.after->mean, 2);
  EXPECT_DOUBLE_EQ(effective.gain->mean, 1);
  EXPECT_LE(effective.gain->low, effective.gain->mean);
  EXPECT_EQ(arm.figures.size(), 3u) << "no figure of searches without a search";
  const ArmComparison same = compare_evaluations(before, before).arms.at(0);
  EXPECT_EQ(to_json(*figure(same, "error_correlation").gain), to_json(Interval{}));
}

TEST(Comparison, ComparesTheWasteOfSearches) {
  EvaluationSample before = sample("sums", 1, true, 4), after = before;
  before.search_tokens = 200;
  before.search_committed_tokens = 50;
  const auto one = compare_evaluations({before}, {after});
  EXPECT_DOUBLE_EQ(figure(one.arms[0], "search_waste").before->mean, 0.75);
  EXPECT_FALSE(figure(one.arms[0], "search_waste").after) << "this evaluation has no search";
  EXPECT_FALSE(figure(one.arms[0], "search_waste").gain);
  EXPECT_TRUE(to_json(one).at("arms")[0].at("search_waste").at("after").is_null());
  EXPECT_NE(to_markdown(one).find("| vote | search waste | 1 | 0.75 |  |  |"), std::string::npos);
  after.search_tokens = 100;
  after.search_committed_tokens = 50;
  const auto both = compare_evaluations({before}, {after});
  EXPECT_DOUBLE_EQ(figure(both.arms[0], "search_waste").after->mean, 0.5);
  EXPECT_DOUBLE_EQ(figure(both.arms[0], "search_waste").gain->mean, -0.25);
}

TEST(Comparison, OmitsIndependenceForASingleStream) {
  EvaluationSample one = sample("sums", 1, true, 4), other = sample("sums", 2, true, 4);
  const auto names = [&] {
    const auto all = compare_evaluations({one, other}, {one, other});
    std::vector<std::string> names;
    for (const ArmFigure& each : all.arms[0].figures) names.push_back(each.name);
    return names;
  };
  EXPECT_EQ(names().size(), 3u);
  one.streams.resize(3);
  EXPECT_EQ(names(), std::vector<std::string>{"any_right"}) << "sessions have 3 and 4 streams";
  one.streams.resize(1);
  other.streams.resize(1);
  EXPECT_EQ(names(), std::vector<std::string>{"any_right"});
}

TEST(Comparison, IsWrittenAsMarkdownAndJson) {
  const auto all = compare_evaluations({sample("sums", 1, false, 0)}, {sample("sums", 1, true, 3)});
  const std::string text = to_markdown(all);
  EXPECT_NE(text.find("| vote | all | 1 | 0.0 | 100.0 | +100.0 (+100.0 to +100.0) | 0.0 | 75.0 | "
                      "+75.0 (+75.0 to +75.0) |"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("| vote | any right, % | 1 | 0.0 | 100.0 | +100.0 (+100.0 to +100.0) |"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("| vote | c | 1 | 0.00 | 0.00 | +0.00 (+0.00 to +0.00) |"), std::string::npos)
      << text;
  const Json json = to_json(all);
  EXPECT_EQ(json.at("comparisons")[0].at("stream_gain").at("mean"), 0.75);
  EXPECT_EQ(json.at("comparisons")[0].at("gain").at("mean"), 1);
  EXPECT_EQ(json.at("arms")[0].at("any_right").at("after").at("mean"), 1);
}

}  // namespace
}  // namespace polyphon
