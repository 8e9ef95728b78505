#include "heads/memory_heads.h"

#include <gtest/gtest.h>

#include <cmath>

namespace polyphon {
namespace {

const std::vector<float> kKey = {1, -2, 2}, kState = {0.5f, 0, -1};

TEST(ReadScorer, IsTheCosineBeforeTraining) {
  const ReadHead head;
  EXPECT_DOUBLE_EQ(ReadScorer(head, kKey).score(0.25, kKey), 0.9 * 0.25 + 0.1);
  ReadHead identity = head;
  identity.bilinear = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  const std::vector<float> like = {1, -1, 1.5f};
  EXPECT_NEAR(ReadScorer(identity, like).score(0.25, kKey),
              ReadScorer(head, like).score(0.25, kKey), 1e-12);
}

TEST(ReadScorer, RowsOfTheMatrixAreTheKeys) {
  ReadHead head;
  head.lexical_weight = 0;
  head.hidden_weight = 2;
  head.bilinear = {0, 0, -1, 0, 0, 0, 0, 0, 0};  // -key[0] * state[2]
  const double lengths = 3 * std::sqrt(1.25);
  EXPECT_NEAR(ReadScorer(head, kState).score(1, kKey), 2 * 1 / lengths, 1e-12);
  head.bilinear = {0, 0, 1, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(ReadScorer(head, kState).score(1, kKey), 0) << "never below zero";
}

TEST(ReadScorer, UsesOnlyWordsIfAStateOrAKeyIsMissing) {
  const ReadHead head;
  EXPECT_DOUBLE_EQ(ReadScorer(head, {}).score(0.5, kKey), 0.5);
  EXPECT_DOUBLE_EQ(ReadScorer(head, kState).score(0.5, {}), 0.5);
}

TEST(WriteFeatures, SayWhetherASentenceStatesAResult) {
  const WriteFeatures features = features_of_sentence("So it is 42.");
  EXPECT_EQ(features.number, 1);
  EXPECT_EQ(features.result, 1);
}

}  // namespace
}  // namespace polyphon
