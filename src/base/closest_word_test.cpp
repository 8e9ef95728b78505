#include "base/closest_word.h"

#include <gtest/gtest.h>

namespace polyphon {
namespace {

TEST(Suggestion, CountsLetters) {
  EXPECT_EQ(edit_distance("think", "think"), 0);
  EXPECT_EQ(edit_distance("thnk", "think"), 1);    // one missing
  EXPECT_EQ(edit_distance("thinkk", "think"), 1);  // one too many
  EXPECT_EQ(edit_distance("thenk", "think"), 1);   // another one
  EXPECT_EQ(edit_distance("htink", "think"), 1);   // two swapped
  EXPECT_EQ(edit_distance("", "think"), 5);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
}

TEST(Suggestion, IsTheNearestOrNone) {
  const std::vector<std::string> commands = {"think", "chat", "serve", "selfplay", "models"};
  EXPECT_EQ(closest("thnk", commands), "think");
  EXPECT_EQ(closest("model", commands), "models");
  EXPECT_EQ(closest("sevre", commands), "serve");
  EXPECT_EQ(closest("self", commands), "selfplay");  // a beginning
  EXPECT_EQ(closest("ponder", commands), std::nullopt);
  EXPECT_EQ(closest("", commands), std::nullopt);
  EXPECT_EQ(closest("x", {"a", "b"}), std::nullopt);
  EXPECT_EQ(closest("abc", {"abcdefgh", "abcdefghi"}), std::nullopt);  // of two
}

}  // namespace
}  // namespace polyphon
