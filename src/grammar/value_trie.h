// Grammars of lists of texts, in size and time linear in the texts. Pure.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace polyphon {

// Adds a rule and returns its name.
using AddRule = std::function<std::string(const std::string& body)>;

// An expression that reads exactly one of the texts, which share their beginnings in it: a matcher
// follows one branch, not as many as there are texts. `texts` are UTF-8 and not empty.
std::string any_of_gbnf(std::vector<std::string> texts, const AddRule& add_rule);

// An expression for a JSON string with its quotes, without escapes, that is none of `texts`.
std::string string_but_gbnf(const std::vector<std::string>& texts, const AddRule& add_rule);

}  // namespace polyphon
