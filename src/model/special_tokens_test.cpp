#include "model/special_tokens.h"

#include <gtest/gtest.h>

#include <string>

namespace polyphon {
namespace {

// The pieces as text: tokens as <number>, text in brackets.
std::string shown(const SpecialTokens& special, std::string_view text, bool parse_control = true) {
  std::string result;
  for (const SpecialTokens::Piece& piece : special.cut(text, parse_control))
    result += piece.token == kNoToken
                  ? "[" + std::string(text.substr(piece.begin, piece.end - piece.begin)) + "]"
                  : "<" + std::to_string(piece.token) + ">";
  return result;
}

TEST(SpecialTokens, ATextIsCutAtEachOfThem) {
  const SpecialTokens special({{1, "<s>", true}, {2, "</s>", true}, {3, "<tool>"}});
  EXPECT_EQ(shown(special, ""), "");
  EXPECT_EQ(shown(special, "plain < s>"), "[plain < s>]");
  EXPECT_EQ(shown(special, "<s>a</s><s><tool>b"), "<1>[a]<2><1><3>[b]");
  EXPECT_EQ(shown(special, "<s>a<tool>", false), "[<s>a]<3>");
}

TEST(SpecialTokens, TheLongestGoesFirstInTheWholeText) {
  const SpecialTokens special({{1, "ab"}, {2, "bcd"}, {3, "b"}, {4, "aa"}});
  EXPECT_EQ(shown(special, "abcd"), "[a]<2>") << "though \"ab\" begins before";
  EXPECT_EQ(shown(special, "abc"), "<1>[c]");
  EXPECT_EQ(shown(special, "aaaab"), "<4>[a]<1>") << "of one length: in the vocabulary's order";
  EXPECT_EQ(shown(special, "xaaax"), "[x]<4>[ax]");
}

TEST(SpecialTokens, WhiteSpaceThatATokenStripsBelongsToIt) {
  const SpecialTokens special({{1, "<mask>", true, true, false}, {2, "<end>", true, false, true}});
  EXPECT_EQ(shown(special, "a \n<mask> b"), "[a]<1>[ b]");
  EXPECT_EQ(shown(special, "a <end> \t\nb"), "[a ]<2>[b]");
  EXPECT_EQ(shown(special, "<end>  <mask>"), "<2><1>");
  EXPECT_EQ(shown(special, "  <mask>  "), "<1>[  ]");
}

TEST(SpecialTokens, ManyOfThemTakeNoLongerThanTheirText) {
  const SpecialTokens special({{1, "<|end|>", true}});
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += "x<|end|>";  // by walking a list: 15 minutes
  EXPECT_EQ(special.cut(text, true).size(), 400'000u);
}

}  // namespace
}  // namespace polyphon
