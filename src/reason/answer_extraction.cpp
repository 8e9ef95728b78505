#include "reason/answer_extraction.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <vector>

#include "base/utf8.h"

namespace polyphon {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// The end of a sentence: a newline, or a full stop that is not inside a number.
size_t sentence_end(std::string_view text, size_t from) {
  for (size_t i = from; i < text.size(); ++i) {
    if (text[i] == '\n' || text[i] == '!' || text[i] == '?') return i;
    if (text[i] == '.' && (i + 1 == text.size() || !is_digit(text[i + 1]))) return i;
  }
  return text.size();
}

std::vector<std::string_view> sentences(std::string_view text) {
  std::vector<std::string_view> result;
  for (size_t at = 0; at < text.size();) {
    const size_t end = sentence_end(text, at);
    const std::string_view sentence = trim(text.substr(at, std::min(end + 1, text.size()) - at));
    if (sentence.size() > 1) result.push_back(sentence);
    at = end + 1;
  }
  return result;
}

// The content of the last \boxed{}, braces counted.
std::optional<std::string> boxed(std::string_view text) {
  constexpr std::string_view kOpen = "\\boxed{";
  const size_t at = text.rfind(kOpen);
  if (at == std::string_view::npos) return std::nullopt;
  int depth = 1;
  for (size_t i = at + kOpen.size(); i < text.size(); ++i) {
    if (text[i] == '{') ++depth;
    if (text[i] == '}' && --depth == 0)
      return std::string(trim(text.substr(at + kOpen.size(), i - at - kOpen.size())));
  }
  return std::nullopt;
}

// The last number of the text, with its sign, thousands separators and decimals.
std::optional<std::string> last_number(std::string_view text) {
  size_t end = text.size();
  while (end > 0 && !is_digit(text[end - 1])) --end;
  if (end == 0) return std::nullopt;
  size_t begin = end;
  while (begin > 0) {
    const char c = text[begin - 1];
    const bool separator =
        (c == '.' || c == ',' || c == '/') && begin > 1 && is_digit(text[begin - 2]);
    if (!is_digit(c) && !separator) break;
    --begin;
  }
  const bool sign = begin > 0 && text[begin - 1] == '-' &&
                    (begin == 1 || is_space(text[begin - 2]) || text[begin - 2] == '(' ||
                     text[begin - 2] == '=' || text[begin - 2] == '$');
  return std::string(text.substr(begin - (sign ? 1 : 0), end - begin + (sign ? 1 : 0)));
}

// What a phrase such as "answer is" introduces, to the end of the sentence.
std::optional<std::string> after_phrase(std::string_view text) {
  static constexpr std::array<std::string_view, 6> kPhrases = {
      "answer is", "answer:", "answer would be", "answer =", "result is", "#### "};
  const std::string folded = lower(text);
  size_t best = std::string::npos, length = 0;
  for (std::string_view phrase : kPhrases) {
    const size_t at = folded.rfind(phrase);
    if (at == std::string::npos || (best != std::string::npos && at <= best)) continue;
    best = at;
    length = phrase.size();
  }
  if (best == std::string::npos) return std::nullopt;
  size_t from = best + length;
  while (from < text.size() && (is_space(text[from]) || text[from] == ':' || text[from] == '*'))
    ++from;
  std::string_view answer = trim(text.substr(from, sentence_end(text, from) - from));
  while (!answer.empty() && answer.back() == '*') answer.remove_suffix(1);
  if (answer.empty()) return std::nullopt;
  const size_t equals = answer.rfind('=');
  if (equals != std::string_view::npos && !trim(answer.substr(equals + 1)).empty())
    answer = trim(answer.substr(equals + 1));
  // "12 apples": the number is the answer; a sentence without one is kept as it is.
  const bool starts_with_number =
      is_digit(answer[0]) ||
      (answer.size() > 1 && (answer[0] == '-' || answer[0] == '$') && is_digit(answer[1]));
  if (starts_with_number) {
    const size_t end = answer.find(' ');
    return std::string(answer.substr(0, end));
  }
  return std::string(answer);
}

}  // namespace

std::string extract_answer(std::string_view text) {
  if (auto answer = boxed(text)) return *answer;
  if (auto answer = after_phrase(text)) return *answer;
  const auto all = sentences(text);
  for (auto sentence = all.rbegin(); sentence != all.rend(); ++sentence) {
    const size_t equals = sentence->rfind('=');
    if (equals != std::string_view::npos)
      if (auto answer = last_number(sentence->substr(equals))) return *answer;
    if (auto answer = last_number(*sentence)) return *answer;
  }
  return "";
}

std::string normalise_answer(std::string_view answer) {
  std::string text;
  const std::string folded = lower(trim(answer));
  for (size_t i = 0; i < folded.size(); ++i) {
    const char c = folded[i];
    if (c == '$' || c == '%' || c == '*' || c == '"' || c == '`') continue;
    const bool thousands = c == ',' && i > 0 && is_digit(folded[i - 1]) && i + 3 < folded.size() &&
                           is_digit(folded[i + 1]) && is_digit(folded[i + 2]) &&
                           is_digit(folded[i + 3]);
    if (!thousands) text += c;
  }
  while (!text.empty() && std::string_view(".,;:!?)").find(text.back()) != std::string_view::npos)
    text.pop_back();
  while (!text.empty() && text.front() == '(') text.erase(0, 1);
  const size_t point = text.find('.');
  const bool number = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || c == '.' || c == '-';
  });
  if (number && point != std::string::npos) {
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
  }
  return std::string(trim(text));
}

std::string conclusion_of(std::string_view text) {
  constexpr size_t kMostCharacters = 400;
  text = trim(text);
  const size_t paragraph = text.rfind("\n\n");
  std::string_view last = trim(paragraph == std::string_view::npos ? text : text.substr(paragraph));
  if (extract_answer(last).empty() && !extract_answer(text).empty()) last = text;
  if (last.size() <= kMostCharacters) return std::string(last);
  // From the first sentence that leaves at most that much.
  const size_t from = last.size() - kMostCharacters;
  const size_t cut = sentence_end(last, from);
  std::string_view end = cut + 1 < last.size() ? last.substr(cut + 1) : last.substr(from);
  while (!end.empty() && (static_cast<unsigned char>(end[0]) & 0xC0) == 0x80) end.remove_prefix(1);
  return std::string(trim(end));
}

}  // namespace polyphon
