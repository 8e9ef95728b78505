// The texts of a vocabulary's tokens in the order of their bytes, so that a grammar can look at all
// of them without reading a shared beginning twice. Immutable; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/token.h"

namespace polyphon {

class TokenTexts {
 public:
  // `texts`: of every token; empty for those that no text may be read from. `ends`: the tokens that
  // end a generation, whose text is not read.
  TokenTexts(std::span<const std::string> texts, std::vector<Token> ends);

  struct Entry {
    Token token = 0;
    uint32_t shared = 0;  // bytes at the beginning that the entry before has too
  };
  // All tokens with a text, sorted by it.
  std::span<const Entry> sorted() const { return sorted_; }
  std::string_view text(Token token) const {
    const auto at = static_cast<size_t>(token);
    return std::string_view(bytes_).substr(begins_[at], begins_[at + 1] - begins_[at]);
  }
  std::span<const Token> ends() const { return ends_; }
  bool is_end(Token token) const;
  size_t longest() const { return longest_; }
  int size() const { return static_cast<int>(begins_.size()) - 1; }

 private:
  std::string bytes_;
  std::vector<uint32_t> begins_;  // [size() + 1]
  std::vector<Entry> sorted_;
  std::vector<Token> ends_;  // sorted
  size_t longest_ = 0;
};

}  // namespace polyphon
