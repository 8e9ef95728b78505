#include "streams/collapse_watch.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace polyphon {
namespace {

using State = std::vector<float>;

CollapseOptions small_options() {
  CollapseOptions options;
  options.cadence_tokens = 4;
  options.window_tokens = 8;
  options.ngram = 2;
  options.reseeds = 1;
  return options;
}

// Samples `count` tokens from `first` on, each with the same state.
void say(CollapseWatch& watch, int stream, Token first, int count, const State& state = {}) {
  for (int i = 0; i < count; ++i) watch.observe(stream, first + i, state);
}

TEST(CollapseWatchTest, TheHigherIndexFollows) {
  CollapseWatch watch(small_options(), 3);
  say(watch, 2, 100, 8);
  say(watch, 1, 500, 8);
  say(watch, 0, 100, 8);
  const auto verdicts = watch.look();
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_EQ(verdicts[0].follower, 2);
  EXPECT_EQ(verdicts[0].leader, 0);
  EXPECT_DOUBLE_EQ(verdicts[0].overlap, 1);
  EXPECT_FALSE(verdicts[0].end);
}

TEST(CollapseWatchTest, WaitsForTheWindowOfBoth) {
  CollapseWatch watch(small_options(), 2);
  say(watch, 0, 100, 7);
  say(watch, 1, 100, 7);
  EXPECT_TRUE(watch.look().empty());
  watch.observe(1, 107, {});
  EXPECT_TRUE(watch.look().empty());
  say(watch, 0, 107, 1);
  EXPECT_TRUE(watch.look().empty()) << "the follower was examined a moment ago";
}

TEST(CollapseWatchTest, LooksAgainAfterTheCadence) {
  CollapseWatch watch(small_options(), 2);
  say(watch, 0, 100, 8);
  say(watch, 1, 500, 8);
  EXPECT_TRUE(watch.look().empty());
  for (Token i = 0; i < 8; ++i) {  // from now on both streams say the same
    watch.observe(0, 200 + i, {});
    watch.observe(1, 200 + i, {});
    const auto verdicts = watch.look();
    EXPECT_EQ(verdicts.size(), i == 7 ? 1u : 0u) << i;
  }
}

TEST(CollapseWatchTest, ComparesOnlyTheLastWindow) {
  CollapseWatch watch(small_options(), 2);
  say(watch, 0, 100, 8);
  say(watch, 1, 100, 8);
  say(watch, 0, 200, 8);
  say(watch, 1, 300, 8);
  EXPECT_TRUE(watch.look().empty());
}

TEST(CollapseWatchTest, BothThresholdsMustBeMet) {
  CollapseWatch apart(small_options(), 2);
  say(apart, 0, 100, 8, {1, 0});
  say(apart, 1, 100, 8, {0, 1});
  EXPECT_TRUE(apart.look().empty()) << "the words are the same, but the states differ";

  CollapseWatch other_words(small_options(), 2);
  say(other_words, 0, 100, 8, {1, 0});
  say(other_words, 1, 500, 8, {1, 0});
  EXPECT_TRUE(other_words.look().empty());

  CollapseWatch alike(small_options(), 2);
  say(alike, 0, 100, 8, {1, 0});
  say(alike, 1, 100, 8, {1, 0.1f});
  const auto verdicts = alike.look();
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_NEAR(verdicts[0].cosine, 1 / std::sqrt(1.01), 1e-6);
}

TEST(CollapseWatchTest, WordsDecideWhenOneHasNoStates) {
  CollapseWatch watch(small_options(), 2);
  say(watch, 0, 100, 8, {1, 0});
  say(watch, 1, 100, 8);
  EXPECT_EQ(watch.look().size(), 1u);
}

TEST(CollapseWatchTest, AReseededFollowerStartsANewWindowAndThenEnds) {
  CollapseWatch watch(small_options(), 2);
  say(watch, 0, 100, 8);
  say(watch, 1, 100, 8);
  ASSERT_EQ(watch.look().size(), 1u);
  say(watch, 1, 100, 7);
  EXPECT_TRUE(watch.look().empty()) << "its window is not full again";
  say(watch, 1, 107, 1);
  const auto verdicts = watch.look();
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_TRUE(verdicts[0].end);
}

TEST(CollapseWatchTest, NoReseedsEndsAtOnce) {
  CollapseOptions options = small_options();
  options.reseeds = 0;
  CollapseWatch watch(options, 2);
  say(watch, 0, 100, 8);
  say(watch, 1, 100, 8);
  const auto verdicts = watch.look();
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_TRUE(verdicts[0].end);
}

TEST(CollapseWatchTest, AnEndedStreamNeitherLeadsNorFollows) {
  for (int ended : {0, 1}) {
    CollapseWatch watch(small_options(), 2);
    say(watch, 0, 100, 8);
    say(watch, 1, 100, 8);
    watch.forget(ended);
    EXPECT_TRUE(watch.look().empty()) << ended;
  }
}

TEST(CollapseWatchTest, OneOfThreeSimilarStreamsStays) {
  CollapseWatch watch(small_options(), 3);
  for (int stream = 0; stream < 3; ++stream) say(watch, stream, 100, 8);
  const auto verdicts = watch.look();
  ASSERT_EQ(verdicts.size(), 2u);
  EXPECT_EQ(verdicts[0].follower, 1);
  EXPECT_EQ(verdicts[1].follower, 2);
  EXPECT_EQ(verdicts[1].leader, 0);
}

}  // namespace
}  // namespace polyphon
