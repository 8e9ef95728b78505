// UTF-8, as much of it as streaming text needs (RFC 3629: no surrogates, no overlong forms).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace polyphon {

bool is_valid_utf8(std::string_view text);

// Length of the longest prefix that does not end inside a character. Bytes that can never become a
// character count as complete.
size_t complete_utf8_prefix(std::string_view text);

// Each invalid byte becomes U+FFFD.
std::string sanitize_utf8(std::string_view text);

}  // namespace polyphon
