#include "text/text_stream.h"

#include <gtest/gtest.h>

#include <random>

#include "base/utf8.h"

namespace polyphon {
namespace {

TEST(TextStreamTest, ShowsPlainTextAtOnce) {
  TextStream stream({});
  EXPECT_EQ(stream.push("Hel"), "Hel");
  EXPECT_EQ(stream.push("lo"), "lo");
  EXPECT_EQ(stream.flush(), "");
  EXPECT_EQ(stream.text(), "Hello");
  EXPECT_FALSE(stream.stopped());
}

TEST(TextStreamTest, HoldsBackHalfACharacter) {
  TextStream stream({});
  EXPECT_EQ(stream.push("caf\xC3"), "caf");
  EXPECT_EQ(stream.push("\xA9!"), "é!");
}

TEST(TextStreamTest, ReplacesInvalidBytesAndAnUnfinishedEnd) {
  TextStream stream({});
  EXPECT_EQ(stream.push("a\xFF"
                        "b\xE2\x82"),
            "a\uFFFDb");
  EXPECT_EQ(stream.flush(), "\uFFFD\uFFFD");
  EXPECT_TRUE(is_valid_utf8(stream.text()));
}

TEST(TextStreamTest, HoldsBackTextThatMayBecomeAStop) {
  TextStream stream({"\n\nUser:"});
  EXPECT_EQ(stream.push("Fine.\n"), "Fine.");
  EXPECT_EQ(stream.push("\nUse"), "");
  EXPECT_EQ(stream.push(" it"), "\n\nUse it");
  EXPECT_EQ(stream.push("\n\nUser: more"), "");
  EXPECT_TRUE(stream.stopped());
  EXPECT_EQ(stream.push("ignored"), "");
  EXPECT_EQ(stream.flush(), "");
  EXPECT_EQ(stream.text(), "Fine.\n\nUse it");
}

TEST(TextStreamTest, FlushesTextThatDidNotBecomeAStop) {
  TextStream stream({"END"});
  EXPECT_EQ(stream.push("the EN"), "the ");
  EXPECT_EQ(stream.flush(), "EN");
  EXPECT_FALSE(stream.stopped());
}

TEST(TextStreamTest, ARestartInsideAStopIsSeen) {
  TextStream stream({"aab"});
  std::string shown;
  for (const char* piece : {"x", "a", "a", "a", "b", "c"}) shown += stream.push(piece);
  EXPECT_EQ(shown, "xa");
  EXPECT_TRUE(stream.stopped());
}

TEST(TextStreamTest, TheStopThatIsCompleteFirstCounts) {
  TextStream whole({"abcdef", "cd"});
  EXPECT_EQ(whole.push("abcdefg"), "ab");
  TextStream same_end({"cd", "bcd"});
  EXPECT_EQ(same_end.push("abcd"), "a");
}

TEST(TextStreamTest, AnEmptyStopStringIsIgnored) {
  TextStream stream({""});
  EXPECT_EQ(stream.push("text"), "text");
  EXPECT_FALSE(stream.stopped());
}

// Random bytes, with parts of characters among them, give the same text however they are cut.
TEST(TextStreamTest, TextDoesNotDependOnThePieces) {
  const std::vector<std::string> alphabet = {"a", "b", "c", "\xC3", "\xA9", "\xE2", "\x82", "\xFF"};
  const std::vector<std::vector<std::string>> stop_sets = {
      {}, {"ab"}, {"abca", "bc"}, {"aab", "b\xC3\xA9"}, {"\xC3\xA9", "ccc", "cb"}, {"abc", "bc"}};
  std::mt19937 random(7);
  for (int round = 0; round < 4000; ++round) {
    const auto& stops = stop_sets[random() % stop_sets.size()];
    std::string bytes;
    for (size_t i = random() % 24; i > 0; --i) bytes += alphabet[random() % alphabet.size()];

    TextStream whole(stops);
    std::string expected = whole.push(bytes);
    expected += whole.flush();
    EXPECT_EQ(whole.text(), expected);
    EXPECT_TRUE(is_valid_utf8(expected));
    for (const std::string& stop : stops) EXPECT_EQ(expected.find(stop), std::string::npos);
    if (!whole.stopped()) {
      EXPECT_EQ(expected, sanitize_utf8(bytes));
    }

    TextStream pieces(stops);
    std::string shown;
    for (size_t at = 0; at < bytes.size();) {
      const size_t length = random() % 4;
      shown += pieces.push(bytes.substr(at, length));
      EXPECT_TRUE(is_valid_utf8(shown));
      at += length;
    }
    shown += pieces.flush();
    ASSERT_EQ(shown, expected) << "round " << round;
    ASSERT_EQ(pieces.text(), expected);
    ASSERT_EQ(pieces.stopped(), whole.stopped());
  }
}

}  // namespace
}  // namespace polyphon
