// Parts of a grammar as GBNF text. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "grammar/code_points.h"

namespace polyphon {

// "text" in quotes, with escapes. `text` is valid UTF-8.
std::string gbnf_literal(std::string_view text);
// [a-z]; the set must not be empty.
std::string gbnf_class(const CodePointSet& points);
// "(a | b)", or the only one.
std::string gbnf_choice(const std::vector<std::string>& alternatives);

}  // namespace polyphon
