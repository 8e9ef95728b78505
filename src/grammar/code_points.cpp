#include "grammar/code_points.h"

#include <algorithm>

namespace polyphon {
namespace {

constexpr CodePointRange kSurrogates{0xD800, 0xDFFF};
// The last code point that 1, 2, 3 and 4 bytes can encode.
constexpr uint32_t kLastOfLength[] = {0x7F, 0x7FF, 0xFFFF, kLastCodePoint};

// Cuts the range until the bounds of each part, byte by byte, span exactly its code points.
void add_sequences(CodePointRange range, std::vector<ByteSequence>& sequences) {
  if (range.first > range.last) return;
  for (const uint32_t last : kLastOfLength) {
    if (range.first > last || last >= range.last) continue;
    add_sequences({range.first, last}, sequences);
    add_sequences({last + 1, range.last}, sequences);
    return;
  }
  if (range.last > 0x7F) {
    for (int shift = 6; shift <= 18; shift += 6) {
      const uint32_t low = (1u << shift) - 1;  // the bits of the trailing bytes
      if ((range.first & ~low) == (range.last & ~low)) break;
      if ((range.first & low) != 0) {
        add_sequences({range.first, range.first | low}, sequences);
        add_sequences({(range.first | low) + 1, range.last}, sequences);
        return;
      }
      if ((range.last & low) != low) {
        add_sequences({range.first, (range.last & ~low) - 1}, sequences);
        add_sequences({range.last & ~low, range.last}, sequences);
        return;
      }
    }
  }
  const std::string first = utf8_of(range.first), last = utf8_of(range.last);
  ByteSequence& sequence = sequences.emplace_back();
  for (size_t i = 0; i < first.size(); ++i)
    sequence.push_back({static_cast<uint8_t>(first[i]), static_cast<uint8_t>(last[i])});
}

}  // namespace

uint32_t next_code_point(std::string_view text, size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  uint32_t point = size == 1 ? lead : lead & (0x7Fu >> size);
  const size_t end = std::min(at + size, text.size());
  for (++at; at < end; ++at) point = (point << 6) | (static_cast<unsigned char>(text[at]) & 0x3F);
  return point;
}

std::string utf8_of(uint32_t point) {
  if (point <= 0x7F) return {static_cast<char>(point)};
  std::string bytes;
  const int length = point <= 0x7FF ? 2 : point <= 0xFFFF ? 3 : 4;
  for (int i = length - 1; i > 0; --i, point >>= 6)
    bytes += static_cast<char>(0x80 | (point & 0x3F));
  bytes += static_cast<char>((0xF00 >> length) | point);
  return {bytes.rbegin(), bytes.rend()};
}

CodePointSet::CodePointSet(std::vector<CodePointRange> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const CodePointRange& range : ranges) {
    if (!ranges_.empty() && range.first <= ranges_.back().last + 1)
      ranges_.back().last = std::max(ranges_.back().last, range.last);
    else
      ranges_.push_back(range);
  }
}

bool CodePointSet::contains(uint32_t point) const {
  const auto after =
      std::upper_bound(ranges_.begin(), ranges_.end(), point,
                       [](uint32_t value, const auto& range) { return value < range.first; });
  return after != ranges_.begin() && point <= std::prev(after)->last;
}

CodePointSet CodePointSet::complement() const {
  CodePointSet result;
  uint32_t next = 0;
  for (const CodePointRange& range : ranges_) {
    if (range.first > next) result.ranges_.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kLastCodePoint) result.ranges_.push_back({next, kLastCodePoint});
  return result;
}

CodePointSet CodePointSet::united(const CodePointSet& other) const {
  std::vector<CodePointRange> all = ranges_;
  all.insert(all.end(), other.ranges_.begin(), other.ranges_.end());
  return CodePointSet(std::move(all));
}

CodePointSet CodePointSet::without(const CodePointSet& other) const {
  return complement().united(other).complement();
}

std::vector<ByteSequence> utf8_sequences(const CodePointSet& set) {
  std::vector<ByteSequence> sequences;
  const CodePointSet encodable = set.without(CodePointSet({kSurrogates}));
  for (const CodePointRange& range : encodable.ranges()) add_sequences(range, sequences);
  return sequences;
}

}  // namespace polyphon
