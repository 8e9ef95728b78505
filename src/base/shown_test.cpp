#include "base/shown.h"

#include <gtest/gtest.h>

#include "base/utf8.h"

namespace polyphon {
namespace {

TEST(Shown, LeavesShortTextAsItIs) {
  for (const char* text : {"", "a", "for example: \"x\" \\n", "naïve 日本語 🙂"})
    EXPECT_EQ(shown(text), text);
}

TEST(Shown, WritesControlCharactersAsEscapes) {
  EXPECT_EQ(shown("a\nb\r\tc"), "a\\nb\\r\\tc");
  EXPECT_EQ(shown(std::string("\0\x1b[31m\x7f", 7)), "\\x00\\x1b[31m\\x7f");
  EXPECT_EQ(shown("a\u0085b"), "a\\x85b");
  EXPECT_EQ(shown("a\xff"), "a\uFFFD");
}

TEST(Shown, CutsTheMiddleOutOfALongValue) {
  EXPECT_EQ(shown(std::string(100, 'a') + std::string(100, 'z'), 6), "aaa...(200 bytes)...zzz");
  EXPECT_EQ(shown("abcdef", 6), "abcdef");
}

TEST(Shown, CutsBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += i % 3 == 0 ? "a" : i % 3 == 1 ? "ü" : "🙂";
  for (size_t most = 0; most < 40; ++most) {
    const std::string cut = shown(text, most);
    EXPECT_TRUE(is_valid_utf8(cut));
    EXPECT_EQ(cut.find("\uFFFD"), std::string::npos) << cut;
    EXPECT_LE(cut.size(), most + 30);
  }
}

}  // namespace
}  // namespace polyphon
