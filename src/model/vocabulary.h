// Text to tokens and back. Immutable; every method may be called from any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/token.h"

namespace polyphon {

class Vocabulary {
 public:
  virtual ~Vocabulary() = default;

  virtual int size() const = 0;
  // `parse_special`: "<|im_end|>" in the text becomes the control token. `add_bos`: put the
  // beginning-of-sequence token first where the model wants one. Invalid UTF-8 becomes U+FFFD.
  virtual Tokens tokenize(std::string_view text, bool parse_special, bool add_bos) const = 0;
  // The bytes of one token, not always whole UTF-8 characters. Control tokens are empty unless
  // `render_special`.
  virtual std::string piece(Token token, bool render_special) const = 0;
  virtual bool is_end_of_generation(Token token) const = 0;
  // Bytes of the longest token: a text has at least its bytes divided by this many tokens.
  virtual int longest_piece_bytes() const = 0;

  // Of text without control tokens, as a part of something longer.
  int count_tokens(std::string_view text) const {
    return static_cast<int>(tokenize(text, false, false).size());
  }
  // What stands before a text that is decoded alone, because attention sinks into the first token:
  // the beginning of text where the model has one. Memory's nodes are decoded after it.
  Tokens anchor() const { return tokenize("\n", false, true); }
  std::string detokenize(std::span<const Token> tokens, bool render_special) const {
    std::string text;
    for (Token token : tokens) text += piece(token, render_special);
    return text;
  }
};

}  // namespace polyphon
