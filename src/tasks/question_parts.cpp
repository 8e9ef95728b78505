#include "tasks/question_parts.h"

#include <cctype>

namespace polyphon {

std::string question_of(const Problem& problem) {
  return problem.text.substr(0, problem.text.find('\n'));
}

Numbers numbers_in(std::string_view text) {
  constexpr Number kNineDigits = 100'000'000;
  Numbers numbers;
  for (size_t at = 0; at < text.size(); ++at) {
    if (std::isdigit(static_cast<unsigned char>(text[at])) == 0) continue;
    const bool minus =
        at >= 1 && (text[at - 1] == '-' || (at >= 2 && text[at - 1] == ' ' && text[at - 2] == '-'));
    Number number = 0;
    for (; at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) != 0; ++at)
      if (number < kNineDigits) number = 10 * number + (text[at] - '0');
    numbers.push_back(minus ? -number : number);
  }
  return numbers;
}

std::vector<std::string> quoted_in(std::string_view text) {
  std::vector<std::string> quoted;
  for (size_t open = text.find('"'); open != std::string_view::npos;) {
    const size_t close = text.find('"', open + 1);
    if (close == std::string_view::npos) break;
    quoted.emplace_back(text.substr(open + 1, close - open - 1));
    open = text.find('"', close + 1);
  }
  return quoted;
}

}  // namespace polyphon
