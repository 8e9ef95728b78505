#include "grammar/token_texts.h"

#include <algorithm>

namespace polyphon {

TokenTexts::TokenTexts(std::span<const std::string> texts, std::vector<Token> ends)
    : ends_(std::move(ends)) {
  std::sort(ends_.begin(), ends_.end());
  begins_.push_back(0);
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto token = static_cast<Token>(i);
    // A text that begins with NUL is a padding of the vocabulary, as llama.cpp has it.
    if (!is_end(token) && !texts[i].empty() && texts[i][0] != '\0') {
      bytes_ += texts[i];
      sorted_.push_back({token, 0});
      longest_ = std::max(longest_, texts[i].size());
    }
    begins_.push_back(static_cast<uint32_t>(bytes_.size()));
  }
  std::sort(sorted_.begin(), sorted_.end(),
            [&](const Entry& a, const Entry& b) { return text(a.token) < text(b.token); });
  for (size_t i = 1; i < sorted_.size(); ++i) {
    const std::string_view before = text(sorted_[i - 1].token), now = text(sorted_[i].token);
    const auto differs = std::mismatch(before.begin(), before.end(), now.begin(), now.end());
    sorted_[i].shared = static_cast<uint32_t>(differs.first - before.begin());
  }
}

bool TokenTexts::is_end(Token token) const {
  return std::binary_search(ends_.begin(), ends_.end(), token);
}

}  // namespace polyphon
