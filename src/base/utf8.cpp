#include "base/utf8.h"

namespace polyphon {
namespace {

enum class Scan { kWhole, kCut, kInvalid };

struct Character {
  Scan scan;
  size_t length;  // bytes looked at: of the character, or 1 when invalid
};

// The allowed range of a second byte narrows after E0, ED, F0 and F4.
bool second_byte_fits(unsigned char first, unsigned char second) {
  switch (first) {
    case 0xE0:
      return second >= 0xA0 && second <= 0xBF;
    case 0xED:
      return second >= 0x80 && second <= 0x9F;
    case 0xF0:
      return second >= 0x90 && second <= 0xBF;
    case 0xF4:
      return second >= 0x80 && second <= 0x8F;
    default:
      return second >= 0x80 && second <= 0xBF;
  }
}

Character next_character(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {Scan::kWhole, 1};
  const size_t length = first >= 0xC2 && first <= 0xDF   ? 2
                        : first >= 0xE0 && first <= 0xEF ? 3
                        : first >= 0xF0 && first <= 0xF4 ? 4
                                                         : 0;
  if (length == 0) return {Scan::kInvalid, 1};
  for (size_t i = 1; i < length; ++i) {
    if (i == text.size()) return {Scan::kCut, i};
    const bool fits = i == 1 ? second_byte_fits(first, byte(1)) : (byte(i) & 0xC0) == 0x80;
    if (!fits) return {Scan::kInvalid, 1};
  }
  return {Scan::kWhole, length};
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
  while (!text.empty()) {
    const Character next = next_character(text);
    if (next.scan != Scan::kWhole) return false;
    text.remove_prefix(next.length);
  }
  return true;
}

size_t complete_utf8_prefix(std::string_view text) {
  size_t complete = 0;
  while (complete < text.size()) {
    const Character next = next_character(text.substr(complete));
    if (next.scan == Scan::kCut) break;
    complete += next.length;
  }
  return complete;
}

std::string sanitize_utf8(std::string_view text) {
  std::string clean;
  while (!text.empty()) {
    const Character next = next_character(text);
    const size_t length = next.scan == Scan::kWhole ? next.length : 1;
    clean += next.scan == Scan::kWhole ? text.substr(0, length) : std::string_view("\xEF\xBF\xBD");
    text.remove_prefix(length);
  }
  return clean;
}

}  // namespace polyphon
