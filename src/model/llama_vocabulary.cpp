#include "model/llama_vocabulary.h"

#include "base/check.h"
#include "base/utf8.h"

namespace polyphon {

int LlamaVocabulary::size() const { return llama_vocab_n_tokens(vocabulary_); }

Tokens LlamaVocabulary::tokenize(std::string_view text, bool parse_special, bool add_bos) const {
  std::string sanitized;  // libllama throws at some invalid bytes
  if (!is_valid_utf8(text)) text = sanitized = sanitize_utf8(text);
  const auto length = static_cast<int32_t>(text.size());
  Tokens tokens(text.size() + 2);
  int32_t count = llama_tokenize(vocabulary_, text.data(), length, tokens.data(),
                                 static_cast<int32_t>(tokens.size()), add_bos, parse_special);
  if (count < 0) {  // the vocabulary splits bytes further
    tokens.resize(static_cast<size_t>(-count));
    count = llama_tokenize(vocabulary_, text.data(), length, tokens.data(), -count, add_bos,
                           parse_special);
  }
  POLYPHON_CHECK(count >= 0);
  tokens.resize(static_cast<size_t>(count));
  return tokens;
}

std::string LlamaVocabulary::piece(Token token, bool render_special) const {
  std::string text(64, '\0');
  int32_t length = llama_token_to_piece(vocabulary_, token, text.data(),
                                        static_cast<int32_t>(text.size()), 0, render_special);
  if (length < 0) {
    text.resize(static_cast<size_t>(-length));
    length = llama_token_to_piece(vocabulary_, token, text.data(), -length, 0, render_special);
  }
  text.resize(static_cast<size_t>(length));
  return text;
}

bool LlamaVocabulary::is_end_of_generation(Token token) const {
  return llama_vocab_is_eog(vocabulary_, token);
}

}  // namespace polyphon
