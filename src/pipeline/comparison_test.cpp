#include "pipeline/comparison.h"

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

const Comparison& slice(const std::vector<Comparison>& all, const std::string& name) {
  for (const Comparison& each : all)
    if (each.slice == name) return each;
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
  EXPECT_DOUBLE_EQ(sums.before.mean, 0.5);
  EXPECT_DOUBLE_EQ(sums.after.mean, 0.55);
  EXPECT_GE(sums.gain.low, 0) << "not one got worse, which unpaired samples could not say";
  EXPECT_DOUBLE_EQ(sums.stream_gain.mean, 0.5);
  EXPECT_DOUBLE_EQ(sums.stream_gain.low, 0.5);
  EXPECT_EQ(slice(all, "all").problems, 20);
  EXPECT_EQ(slice(all, "sums/1").problems, 20);
}

TEST(Comparison, LeavesOutWhatOneOfThemHasNot) {
  const auto all = compare_evaluations(
      {sample("sums", 1, true, 4), sample("gcd", 1, false, 0), sample("sums", 1, true, 4, "short")},
      {sample("sums", 1, false, 0), sample("sums", 2, false, 0)});
  ASSERT_EQ(all.size(), 3u);
  for (const Comparison& each : all) {
    EXPECT_EQ(each.arm, "vote");
    EXPECT_EQ(each.problems, 1);
    EXPECT_DOUBLE_EQ(each.gain.mean, -1);
  }
  EXPECT_THROW(compare_evaluations({sample("sums", 1, true, 4)}, {sample("sums", 2, true, 4)}),
               Error);
}

TEST(Comparison, IsReadByPeopleAndPrograms) {
  const auto all = compare_evaluations({sample("sums", 1, false, 1)}, {sample("sums", 1, true, 3)});
  EXPECT_NE(to_markdown(all).find("| vote | all | 1 | 0.0 | 100.0 | +100.0 (+100.0 to +100.0) | "
                                  "25.0 | 75.0 | +50.0 (+50.0 to +50.0) |"),
            std::string::npos)
      << to_markdown(all);
  EXPECT_EQ(to_json(all)[0].at("stream_gain").at("mean"), 0.5);
}

}  // namespace
}  // namespace polyphon
