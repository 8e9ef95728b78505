#include "text/term_similarity.h"

#include <algorithm>
#include <cctype>
#include <cmath>

namespace polyphon {
namespace {

bool is_word_byte(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c < 0; }

bool says_nothing(const std::string& word) {
  static const std::set<std::string> kWords = {
      "a",  "an",   "and",  "are",  "as",    "at",  "be",   "by",   "for",  "from", "has", "have",
      "he", "her",  "his",  "i",    "in",    "is",  "it",   "its",  "me",   "my",   "of",  "on",
      "or", "our",  "she",  "so",   "that",  "the", "then", "they", "this", "to",   "us",  "was",
      "we", "were", "what", "when", "which", "who", "will", "with", "you",  "your"};
  return kWords.contains(word);
}

std::string without_plural(std::string word) {
  const bool letters = std::all_of(word.begin(), word.end(), [](char c) {
    return std::isdigit(static_cast<unsigned char>(c)) == 0;
  });
  if (letters && word.size() > 3 && word.ends_with('s') && !word.ends_with("ss")) word.pop_back();
  return word;
}

}  // namespace

Terms terms_of(std::string_view text) {
  Terms terms;
  for (size_t at = 0; at < text.size();) {
    std::string word;
    for (; at < text.size() && is_word_byte(text[at]); ++at)
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(text[at])));
    if (!word.empty() && !says_nothing(word)) terms.insert(without_plural(std::move(word)));
    while (at < text.size() && !is_word_byte(text[at])) ++at;
  }
  return terms;
}

void TermStatistics::add(const Terms& terms) {
  ++texts_;
  for (const std::string& term : terms) ++texts_with_[term];
}

double TermStatistics::weight(const std::string& term) const {
  const auto found = texts_with_.find(term);
  const int with = found == texts_with_.end() ? 0 : found->second;
  return std::log(1 + static_cast<double>(texts_) / (1 + with));
}

double TermStatistics::similarity(const Terms& a, const Terms& b) const {
  double shared = 0, in_a = 0, in_b = 0;
  for (const std::string& term : a) {
    const double square = weight(term) * weight(term);
    in_a += square;
    if (b.contains(term)) shared += square;
  }
  for (const std::string& term : b) in_b += weight(term) * weight(term);
  return in_a > 0 && in_b > 0 ? shared / std::sqrt(in_a * in_b) : 0;
}

}  // namespace polyphon
