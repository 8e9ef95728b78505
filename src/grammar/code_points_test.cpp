#include "grammar/code_points.h"

#include <gtest/gtest.h>

#include <algorithm>

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

std::string encoded(uint32_t point) {
  std::string text;
  if (point < 0x80) {
    text = {static_cast<char>(point)};
  } else if (point < 0x800) {
    text = {static_cast<char>(0xC0 | (point >> 6)), static_cast<char>(0x80 | (point & 63))};
  } else if (point < 0x10000) {
    text = {static_cast<char>(0xE0 | (point >> 12)), static_cast<char>(0x80 | ((point >> 6) & 63)),
            static_cast<char>(0x80 | (point & 63))};
  } else {
    text = {static_cast<char>(0xF0 | (point >> 18)), static_cast<char>(0x80 | ((point >> 12) & 63)),
            static_cast<char>(0x80 | ((point >> 6) & 63)), static_cast<char>(0x80 | (point & 63))};
  }
  return text;
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

TEST(Utf8Sequences, EncodeExactlyTheSet) {
  const CodePointSet sets[] = {
      CodePointSet({{'a', 'z'}}),
      CodePointSet({{0x70, 0x90}, {0x7F0, 0x810}, {0xFFF0, 0x10010}, {0x10FFFF, 0x10FFFF}}),
      CodePointSet({{'"', '"'}, {0x20AC, 0x20AC}}).complement()};
  for (const CodePointSet& set : sets) {
    const auto sequences = utf8_sequences(set);
    for (uint32_t point = 0; point <= kLastCodePoint; point += point < 0x11000 ? 1 : 251) {
      const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
      ASSERT_EQ(read_by(sequences, encoded(point)), set.contains(point) && !surrogate) << point;
    }
  }
  EXPECT_LE(utf8_sequences(CodePointSet().complement()).size(), 9u);
}

}  // namespace
}  // namespace polyphon
