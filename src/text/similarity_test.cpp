#include "text/similarity.h"

#include <gtest/gtest.h>

namespace polyphon {
namespace {

TEST(NgramOverlapTest, IsTheJaccardIndexOfTheSets) {
  const Tokens a = {1, 2, 3, 4};  // 2-grams: 12 23 34
  const Tokens b = {2, 3, 4, 5};  // 2-grams: 23 34 45
  EXPECT_DOUBLE_EQ(ngram_overlap(a, b, 2), 2.0 / 4);
  EXPECT_DOUBLE_EQ(ngram_overlap(b, a, 2), 2.0 / 4);
  EXPECT_DOUBLE_EQ(ngram_overlap(a, a, 4), 1);
  EXPECT_DOUBLE_EQ(ngram_overlap(a, b, 4), 0);
}

TEST(NgramOverlapTest, CountsARepeatedNgramOnce) {
  const Tokens a = {1, 1, 1, 1, 1}, b = {1, 1, 2};  // 2-grams: {11} and {11, 12}
  EXPECT_DOUBLE_EQ(ngram_overlap(a, b, 2), 1.0 / 2);
}

TEST(NgramOverlapTest, IsZeroWithoutNgrams) {
  const Tokens a = {1, 2, 3};
  EXPECT_EQ(ngram_overlap(a, {}, 1), 0);
  EXPECT_EQ(ngram_overlap({}, {}, 1), 0);
  EXPECT_EQ(ngram_overlap(a, a, 4), 0);
  EXPECT_EQ(ngram_overlap(a, a, 0), 0);
}

TEST(CosineTest, ComparesDirections) {
  const std::vector<float> a = {3, 4}, doubled = {6, 8}, opposite = {-3, -4}, across = {-4, 3};
  EXPECT_DOUBLE_EQ(cosine(a, doubled), 1);
  EXPECT_DOUBLE_EQ(cosine(a, opposite), -1);
  EXPECT_DOUBLE_EQ(cosine(a, across), 0);
  EXPECT_NEAR(cosine(a, std::vector<float>{1, 0}), 0.6, 1e-12);
}

TEST(CosineTest, IsZeroForANullVector) {
  const std::vector<float> null = {0, 0}, a = {3, 4};
  EXPECT_EQ(cosine(null, a), 0);
  EXPECT_EQ(cosine({}, {}), 0);
}

}  // namespace
}  // namespace polyphon
