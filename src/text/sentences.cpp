#include "text/sentences.h"

#include <algorithm>
#include <cctype>

#include "base/ascii.h"

namespace polyphon {
namespace {

// Length of a list marker ("2. ", "- ") at the beginning of `line`, if something follows it; else
// 0.
size_t list_marker(std::string_view line) {
  size_t end = 0;
  while (end < line.size() && is_digit(line[end])) ++end;
  if (end < line.size() && (end > 0 ? line[end] == '.' : line[0] == '-' || line[0] == '*'))
    ++end;
  else
    return 0;
  const bool more =
      end + 1 < line.size() && (line[end] == ' ' || line[end] == '\t') && !is_space(line[end + 1]);
  return more ? end + 1 : 0;
}

// Whether the full stop at text[i] belongs to the number of a list.
bool ends_list_number(std::string_view text, size_t i) {
  size_t begin = i;
  while (begin > 0 && text[begin - 1] != '\n') --begin;
  while (begin < i && is_space(text[begin])) ++begin;
  const size_t marker = list_marker(text.substr(begin));
  return marker > 0 && begin + marker == i + 2;
}

}  // namespace

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

size_t sentence_end(std::string_view text, size_t from) {
  for (size_t i = from; i < text.size(); ++i) {
    if (text[i] == '\n' || text[i] == '!' || text[i] == '?') return i;
    if (text[i] != '.') continue;
    const bool in_number = i + 1 < text.size() && is_digit(text[i + 1]);
    if (!in_number && !ends_list_number(text, i)) return i;
  }
  return text.size();
}

std::vector<std::string_view> sentences(std::string_view text) {
  std::vector<std::string_view> result;
  for (size_t at = 0; at < text.size();) {
    const size_t end = sentence_end(text, at);
    std::string_view sentence = trim(text.substr(at, std::min(end + 1, text.size()) - at));
    sentence.remove_prefix(list_marker(sentence));
    const bool says_something = std::any_of(sentence.begin(), sentence.end(), [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || (c & 0x80) != 0;
    });
    if (says_something) result.push_back(sentence);
    at = end + 1;
  }
  return result;
}

}  // namespace polyphon
