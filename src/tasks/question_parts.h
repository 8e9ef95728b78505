// What a question is made of: from its text back to its numbers and words. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tasks/problem.h"

namespace polyphon {

using Number = long long;
using Numbers = std::vector<Number>;

// What was asked, without the instruction on how to answer.
std::string question_of(const Problem& problem);
// All numbers, negative ones where a minus stands before them, with or without a space. Digits
// after the ninth are left out, so that no sum or product of two overflows.
Numbers numbers_in(std::string_view text);
// What stands between pairs of '"'.
std::vector<std::string> quoted_in(std::string_view text);

}  // namespace polyphon
