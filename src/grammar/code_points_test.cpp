#include "grammar/code_points.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/utf8.h"

namespace polyphon {
namespace {

TEST(CodePointSet, RangesAreJoinedAndComplementsRoundTrip) {
  const CodePointSet set({{5, 9}, {1, 2}, {3, 4}, {8, 20}, {100, 100}});
  EXPECT_EQ(set.ranges(), (std::vector<CodePointRange>{{1, 20}, {100, 100}}));
  EXPECT_TRUE(set.contains(1) && set.contains(20) && set.contains(100));
  EXPECT_FALSE(set.contains(0) || set.contains(21) || set.contains(101));
  EXPECT_EQ(set.complement().complement(), set);
  EXPECT_TRUE(CodePointSet().complement().complement().empty());
  EXPECT_EQ(set.without(CodePointSet({{4, 100}})).ranges(), (std::vector<CodePointRange>{{1, 3}}));
}

bool read_by(const std::vector<ByteSequence>& sequences, const std::string& text) {
  return std::any_of(sequences.begin(), sequences.end(), [&](const ByteSequence& sequence) {
    if (sequence.size() != text.size()) return false;
    for (size_t i = 0; i < text.size(); ++i) {
      const auto byte = static_cast<uint8_t>(text[i]);
      if (byte < sequence[i].first || byte > sequence[i].last) return false;
    }
    return true;
  });
}

TEST(CodePoints, AreWrittenAndReadAsTheLibraryDoes) {
  for (const uint32_t point :
       {0x41u, 0x7Fu, 0x80u, 0x7FFu, 0x800u, 0x20ACu, 0xFFFFu, 0x10000u, 0x10FFFFu}) {
    const std::string text = utf8_of(point) + "x";
    EXPECT_TRUE(is_valid_utf8(text)) << point;
    size_t at = 0;
    EXPECT_EQ(next_code_point(text, at), point);
    EXPECT_EQ(at, text.size() - 1);
  }
  EXPECT_EQ(utf8_of(0x20AC), "\xE2\x82\xAC");
}

TEST(Utf8Sequences, EncodeExactlyTheSet) {
  const CodePointSet sets[] = {
      CodePointSet({{'a', 'z'}}),
      CodePointSet({{0x70, 0x90}, {0x7F0, 0x810}, {0xFFF0, 0x10010}, {0x10FFFF, 0x10FFFF}}),
      CodePointSet({{'"', '"'}, {0x20AC, 0x20AC}}).complement()};
  for (const CodePointSet& set : sets) {
    const auto sequences = utf8_sequences(set);
    for (uint32_t point = 0; point <= kLastCodePoint; point += point < 0x11000 ? 1 : 251) {
      const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
      ASSERT_EQ(read_by(sequences, utf8_of(point)), set.contains(point) && !surrogate) << point;
    }
  }
  EXPECT_LE(utf8_sequences(CodePointSet().complement()).size(), 9u);
}

}  // namespace
}  // namespace polyphon
