// A schema's `pattern` (a regular expression of ECMA-262) as GBNF for the inside of a JSON string.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace polyphon {

// The pattern is no regular expression, or has a part that no grammar can express. what() says
// which part, and where.
class PatternError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Lengths of the string, in characters.
struct LengthBounds {
  uint64_t least = 0;
  std::optional<uint64_t> most;
};

// Text that matches somewhere, as JSON Schema wants it: where the pattern has no ^ or no $, any
// characters (the rule `any_character`) stand before or behind. Each character is written as JSON
// writes it. Throws PatternError for what is not regular or not supported (look-around, references
// back, \b, \p), and for bounds of the length that cannot be combined with the pattern.
std::string pattern_gbnf(std::string_view pattern, const LengthBounds& length,
                         const std::string& any_character);

}  // namespace polyphon
