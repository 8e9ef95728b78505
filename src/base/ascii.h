// Kinds of one byte, in the C locale.
#pragma once

#include <cctype>

namespace polyphon {

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }
inline bool is_alnum(char c) { return is_digit(c) || is_letter(c); }
inline bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

}  // namespace polyphon
