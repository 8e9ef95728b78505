// Sets of Unicode code points, and the byte sequences that encode them in UTF-8. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace polyphon {

inline constexpr uint32_t kLastCodePoint = 0x10FFFF;

struct CodePointRange {
  uint32_t first = 0;
  uint32_t last = 0;  // inclusive

  bool operator==(const CodePointRange&) const = default;
};

// Ranges in rising order; no two overlap or touch.
class CodePointSet {
 public:
  CodePointSet() = default;
  // In any order; may overlap.
  explicit CodePointSet(std::vector<CodePointRange> ranges);

  const std::vector<CodePointRange>& ranges() const { return ranges_; }
  bool empty() const { return ranges_.empty(); }
  bool contains(uint32_t point) const;

  CodePointSet complement() const;
  CodePointSet united(const CodePointSet& other) const;
  CodePointSet without(const CodePointSet& other) const;

  bool operator==(const CodePointSet&) const = default;

 private:
  std::vector<CodePointRange> ranges_;
};

// The code point of valid UTF-8 that begins at `at`, which moves behind it.
uint32_t next_code_point(std::string_view text, size_t& at);
std::string utf8_of(uint32_t point);

struct ByteRange {
  uint8_t first = 0;
  uint8_t last = 0;  // inclusive

  bool operator==(const ByteRange&) const = default;
};

// Byte i of an encoding lies in range i. [1 .. 4]
using ByteSequence = std::vector<ByteRange>;

// Sequences that together encode exactly the set's code points. Surrogates (U+D800 to U+DFFF) have
// no encoding and are left out. The method is that of RE2 and of Rust's utf8-ranges.
std::vector<ByteSequence> utf8_sequences(const CodePointSet& set);

}  // namespace polyphon
