#include <algorithm>
#include <array>
#include <cctype>

#include "base/ascii.h"
#include "text/answer_extraction.h"
#include "text/sentences.h"

namespace polyphon {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

// Turns \text{cm} into cm and \frac{1}{2} or \dfrac{1}{2} into 1/2; removes spacing and delimiters.
void drop_latex(std::string& text) {
  for (std::string_view gone : {"\\left", "\\right", "\\(", "\\)", "\\[", "\\]", "\\,", "\\!",
                                "\\;", "^\\circ", "^{\\circ}"})
    replace_all(text, gone, "");
  for (std::string_view fraction : {"\\dfrac{", "\\tfrac{"}) replace_all(text, fraction, "\\frac{");
  for (size_t at = text.find("\\frac{"); at != std::string::npos; at = text.find("\\frac{", at)) {
    const size_t middle = text.find("}{", at), end = text.find('}', middle + 1);
    if (middle == std::string::npos || end == std::string::npos) break;
    text.replace(
        at, end + 1 - at,
        text.substr(at + 6, middle - at - 6) + "/" + text.substr(middle + 2, end - middle - 2));
  }
  for (std::string_view wrapper : {"\\text{", "\\textbf{", "\\mathrm{", "\\mathbf{"}) {
    for (size_t at = text.find(wrapper); at != std::string::npos; at = text.find(wrapper)) {
      const size_t end = text.find('}', at);
      if (end != std::string::npos) text.erase(end, 1);
      text.erase(at, wrapper.size());
    }
  }
}

// Removes currency, per cent, quotes and emphasis, in every encoding.
void drop_signs(std::string& text) {
  replace_all(text, "\xE2\x88\x92", "-");  // minus sign
  for (std::string_view gone : {"$", "%", "*", "\"", "`", "\\", "€", "£", "¥", "°", "“", "”", "‘"})
    replace_all(text, gone, "");
  replace_all(text, "’", "'");
}

void trim_punctuation(std::string& text) {
  std::string_view rest = trim(text);
  while (!rest.empty() && std::string_view(".,;:!?'").find(rest.back()) != std::string_view::npos)
    rest = trim(rest.substr(0, rest.size() - 1));
  while (!rest.empty() && rest.front() == '\'') rest.remove_prefix(1);
  // "(b)", "b)" and "(b) paris" become b; a pair such as "(1, 2)" stays.
  const size_t letter = rest.starts_with('(') ? 1 : 0;
  if (rest.size() > letter + 1 && is_letter(rest[letter]) && rest[letter + 1] == ')')
    rest = rest.substr(letter, 1);
  text = rest;
}

// Removes commas between a digit and exactly three digits.
void drop_thousands_separators(std::string& text) {
  for (size_t i = 1; i + 3 < text.size(); ++i) {
    const bool three = std::all_of(text.begin() + static_cast<long>(i) + 1,
                                   text.begin() + static_cast<long>(i) + 4, is_digit);
    const bool fourth = i + 4 < text.size() && is_digit(text[i + 4]);
    if (text[i] == ',' && is_digit(text[i - 1]) && three && !fourth) text.erase(i--, 1);
  }
}

// Length of the decimal number or fraction at the beginning of `text`; 0 if there is none.
size_t number_length(std::string_view text) {
  size_t end = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  const size_t digits = end;
  while (end < text.size()) {
    const bool separator =
        (text[end] == '.' || text[end] == '/') && end + 1 < text.size() && is_digit(text[end + 1]);
    if (!is_digit(text[end]) && !separator) break;
    ++end;
  }
  return end > digits ? end : 0;
}

// Removes the unit of "12 apples" or "5km". "3x", "2 million" and "5 + 3" are not a number with a
// unit and stay.
void drop_unit(std::string& text) {
  const size_t number = number_length(text);
  if (number == 0 || number == text.size()) return;
  const std::string unit(trim(std::string_view(text).substr(number)));
  static constexpr std::array<std::string_view, 8> kMeaningful = {
      "x", "y", "z", "n", "hundred", "thousand", "million", "billion"};
  const std::string_view first = std::string_view(unit).substr(0, unit.find(' '));
  if (std::find(kMeaningful.begin(), kMeaningful.end(), first) != kMeaningful.end()) return;
  const bool words = std::all_of(unit.begin(), unit.end(), [](char c) {
    return is_letter(c) || c == ' ' || c == '.' || c == '\'' || c == '-';
  });
  if (words) text.resize(number);
}

// Turns "+5" into 5, "3.0" into 3, ".5" into 0.5, "-0" into 0.
void simplify_number(std::string& text) {
  if (number_length(text) != text.size() || text.find('/') != std::string::npos) return;
  const size_t point = text.find('.');
  if (point != text.rfind('.')) return;  // a version, a date
  if (text[0] == '+') text.erase(0, 1);
  if (point != std::string::npos) {
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
  }
  const size_t sign = text.starts_with('-') ? 1 : 0;
  if (text.size() == sign || text[sign] == '.') text.insert(sign, 1, '0');
  if (text == "-0") text = "0";
}

}  // namespace

std::string normalise_answer(std::string_view answer) {
  std::string text(trim(answer));
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  drop_latex(text);
  drop_signs(text);
  trim_punctuation(text);
  // "x = 5" becomes 5.
  if (text.size() > 2 && is_letter(text[0]))
    if (const size_t equals = text.find_first_not_of(' ', 1);
        equals != std::string::npos && text[equals] == '=')
      text = trim(std::string_view(text).substr(equals + 1));
  for (std::string_view article : {"the ", "an ", "a ", "option ", "choice "})
    if (text.starts_with(article)) text.erase(0, article.size());
  drop_thousands_separators(text);
  drop_unit(text);
  if (!text.empty()) simplify_number(text);
  return text;
}

}  // namespace polyphon
