#include "data/curriculum.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace polyphon {
namespace {

// Plays with a model whose streams succeed with a probability that falls with the difficulty.
// Returns the last difficulty.
int play(Curriculum& curriculum, int problems, double (*success)(int difficulty)) {
  Random random(1);
  for (int i = 0; i < problems; ++i) {
    const auto cell = curriculum.next();
    if (!cell) return i;
    int right = 0;
    for (int s = 0; s < 8; ++s) right += random.uniform() < success(cell->difficulty) ? 1 : 0;
    curriculum.record(*cell, 8, right);
  }
  return problems;
}

TEST(Curriculum, StaysWhereRightAndWrongAreBothFrequent) {
  Curriculum curriculum({"sums"});
  play(curriculum, 400, [](int difficulty) { return difficulty <= 4 ? 0.95 : 0.5; });
  EXPECT_GT(curriculum.cells().at({"sums", 5}).problems, 300);
  EXPECT_EQ(curriculum.cells().count({"sums", 6}), 0u);
}

TEST(Curriculum, GoesBackIfProblemsAreTooHard) {
  Curriculum curriculum({"sums"});
  play(curriculum, 400, [](int difficulty) { return difficulty <= 2 ? 0.9 : 0.05; });
  EXPECT_EQ(curriculum.cells().count({"sums", 4}), 0u);
  EXPECT_GT(curriculum.cells().at({"sums", 2}).problems, 100);
}

TEST(Curriculum, SharesProblemsAmongFamilies) {
  Curriculum curriculum({"a", "b", "c"});
  play(curriculum, 90, [](int) { return 0.5; });
  for (const char* family : {"a", "b", "c"})
    EXPECT_EQ(curriculum.cells().at({family, 1}).problems, 30);
}

TEST(Curriculum, AFamilyWithoutAnySuccessRests) {
  Curriculum curriculum({"sums"});
  EXPECT_EQ(play(curriculum, 100, [](int) { return 0.0; }), 16);
  EXPECT_TRUE(curriculum.is_cold({"sums", 1}));
  EXPECT_FALSE(curriculum.is_cold({"sums", 2})) << "nobody has tried";
}

TEST(Curriculum, OneSuccessInManyKeepsAFamilyAwake) {
  Curriculum curriculum({"sums"});
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(curriculum.next());
    curriculum.record({"sums", 1}, 8, i == 3 ? 1 : 0);
  }
  EXPECT_TRUE(curriculum.next());
  EXPECT_FALSE(curriculum.is_cold({"sums", 1}));
}

// A problem that was handed out before the difficulty changed says nothing about the new
// difficulty.
TEST(Curriculum, ResultsOfAnEarlierDifficultyAreIgnored) {
  Curriculum curriculum({"sums"});
  for (int i = 0; i < 8; ++i) curriculum.record({"sums", 1}, 8, 8);
  EXPECT_EQ(curriculum.next()->difficulty, 2);
  for (int i = 0; i < 8; ++i) curriculum.record({"sums", 1}, 8, 8);
  EXPECT_EQ(curriculum.next()->difficulty, 2);
  EXPECT_EQ(curriculum.cells().at({"sums", 1}).problems, 16);
}

}  // namespace
}  // namespace polyphon
