// How a message or the log shows a value that came from outside.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace polyphon {

// On one line and printable: control characters are written as escapes (\n, \x1b), invalid UTF-8 as
// U+FFFD. A value of more than `most_bytes` loses its middle: "aaa...(200000 bytes)...zzz", with
// whole characters.
std::string shown(std::string_view value, size_t most_bytes = 80);

}  // namespace polyphon
