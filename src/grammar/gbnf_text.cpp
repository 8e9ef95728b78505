#include "grammar/gbnf_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace polyphon {
namespace {

std::string class_point(uint32_t point) {
  const bool plain = (point >= '0' && point <= '9') || (point >= 'A' && point <= 'Z') ||
                     (point >= 'a' && point <= 'z');
  if (plain) return {static_cast<char>(point)};
  if (point <= 0xFF) return fmt::format("\\x{:02X}", point);
  return point <= 0xFFFF ? fmt::format("\\u{:04X}", point) : fmt::format("\\U{:08X}", point);
}

}  // namespace

std::string gbnf_literal(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      result += {'\\', c};
    else if (c == '\n')
      result += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      result += fmt::format("\\x{:02X}", static_cast<int>(c));
    else
      result += c;
  }
  return result + '"';
}

std::string gbnf_class(const CodePointSet& points) {
  const CodePointSet writable = points.without(CodePointSet({{0xD800, 0xDFFF}}));
  std::string result = "[";
  for (const CodePointRange& range : writable.ranges()) {
    result += class_point(range.first);
    if (range.last > range.first) result += '-' + class_point(range.last);
  }
  return result + ']';
}

std::string gbnf_choice(const std::vector<std::string>& alternatives) {
  if (alternatives.size() == 1) return alternatives.front();
  return fmt::format("({})", fmt::join(alternatives, " | "));
}

}  // namespace polyphon
