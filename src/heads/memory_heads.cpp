#include "heads/memory_heads.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>
#include <string>

#include "base/check.h"
#include "heads/logistic.h"
#include "text/similarity.h"

namespace polyphon {
namespace {

constexpr double kWordsOfALongSentence = 12;

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (size_t at = 0; at < text.size(); ++at) {
    const auto c = static_cast<unsigned char>(text[at]);
    const bool inside = std::isalnum(c) != 0 || c >= 0x80;
    if (!inside) continue;
    if (at == 0 || words.empty() || std::isalnum(static_cast<unsigned char>(text[at - 1])) == 0)
      words.emplace_back();
    words.back() += static_cast<char>(std::tolower(c));
  }
  return words;
}

double length_of(std::span<const float> vector) {
  double sum = 0;
  for (float value : vector) sum += static_cast<double>(value) * value;
  return std::sqrt(sum);
}

}  // namespace

WriteFeatures features_of_sentence(std::string_view sentence) {
  static const std::set<std::string> kResult = {"so", "therefore", "thus", "hence", "is", "equals"};
  const std::vector<std::string> words = words_of(sentence);
  const auto any = [&](auto holds) { return std::any_of(words.begin(), words.end(), holds); };
  WriteFeatures features;
  features.number = any([](const std::string& w) { return w[0] >= '0' && w[0] <= '9'; }) ? 1 : 0;
  const bool equation = sentence.find('=') != std::string_view::npos;
  features.result =
      equation || any([](const std::string& w) { return kResult.contains(w); }) ? 1 : 0;
  features.length = std::min(1.0, static_cast<double>(words.size()) / kWordsOfALongSentence);
  return features;
}

double write_probability(const WriteHead& head, const WriteFeatures& features,
                         std::span<const float> hidden) {
  return logistic(head.bias, head.weights, features.values(), head.hidden_weights, hidden);
}

ReadScorer::ReadScorer(const ReadHead& head, std::span<const float> hidden)
    : head_(head), hidden_(hidden) {
  const size_t size = hidden.size();
  if (head.bilinear.empty() || size == 0) return;
  POLYPHON_CHECK(head.bilinear.size() == size * size);
  transformed_.resize(size);
  for (size_t row = 0; row < size; ++row)
    for (size_t column = 0; column < size; ++column)
      transformed_[row] += static_cast<double>(head.bilinear[row * size + column]) * hidden[column];
}

double ReadScorer::score(double lexical, std::span<const float> key) const {
  if (key.size() != hidden_.size() || key.empty())
    return (head_.lexical_weight + head_.hidden_weight) * lexical;
  return head_.lexical_weight * lexical + head_.hidden_weight * std::max(0.0, bilinear(key));
}

double ReadScorer::bilinear(std::span<const float> key) const {
  if (transformed_.empty()) return cosine(key, hidden_);
  const double lengths = length_of(key) * length_of(hidden_);
  double sum = 0;
  for (size_t i = 0; i < key.size(); ++i) sum += key[i] * transformed_[i];
  return lengths > 0 ? sum / lengths : 0;
}

}  // namespace polyphon
