#include "base/shown.h"

#include <fmt/format.h>

#include "base/utf8.h"

namespace polyphon {
namespace {

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

std::string printable(std::string_view value) {
  const std::string text = sanitize_utf8(value);
  std::string result;
  result.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F, which terminals obey too.
    const bool control = byte == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (byte == '\n') {
      result += "\\n";
    } else if (byte == '\r') {
      result += "\\r";
    } else if (byte == '\t') {
      result += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      result += fmt::format("\\x{:02x}", byte);
    } else if (control) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[++i]));
    } else {
      result += text[i];
    }
  }
  return result;
}

}  // namespace

std::string shown(std::string_view value, size_t most_bytes) {
  if (value.size() <= most_bytes) return printable(value);
  const std::string_view begin = value.substr(0, most_bytes / 2);
  std::string_view end = value.substr(value.size() - most_bytes / 2);
  for (int i = 0; i < 3 && !end.empty() && is_continuation(end[0]); ++i) end.remove_prefix(1);
  return fmt::format("{}...({} bytes)...{}",
                     printable(begin.substr(0, complete_utf8_prefix(begin))), value.size(),
                     printable(end));
}

}  // namespace polyphon
