// Finds special tokens that are spelled out in a text, in time that is linear in the text. libllama
// does the same inside llama_tokenize(), but walks the list of all pieces so far for each one that
// it finds: 40,000 of them took 37 seconds.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/token.h"

namespace polyphon {

// One token with a literal that is looked for in text.
struct SpecialToken {
  Token token = 0;
  std::string text;
  bool control = false;       // found only where special tokens are to be parsed
  bool strips_left = false;   // white space before it belongs to it
  bool strips_right = false;  // white space after it belongs to it
};

// Immutable.
class SpecialTokens {
 public:
  // In the order of the vocabulary.
  explicit SpecialTokens(std::vector<SpecialToken> tokens);

  // A token, or text between tokens where `token` is kNoToken.
  struct Piece {
    size_t begin = 0, end = 0;  // bytes of the text
    Token token = kNoToken;
  };
  // The text cut at the special tokens, without the white space that they strip. The longest token
  // is looked for first, in the whole text, then the next longest in what is left. No two pieces of
  // text are neighbours.
  std::vector<Piece> cut(std::string_view text, bool parse_control) const;

 private:
  // Tokens of one length.
  struct Length {
    size_t bytes = 0;
    std::array<bool, 256> starts{};                      // first bytes
    std::unordered_map<std::string_view, size_t> index;  // into tokens_
  };
  std::vector<SpecialToken> tokens_;  // longest first
  std::vector<Length> lengths_;       // longest first
};

}  // namespace polyphon
