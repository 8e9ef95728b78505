#pragma once

#include <llama.h>

#include <cstdint>
#include <vector>

#include "model/special_tokens.h"
#include "model/vocabulary.h"

namespace polyphon {

class LlamaVocabulary final : public Vocabulary {
 public:
  // `vocabulary` belongs to a model that outlives this.
  explicit LlamaVocabulary(const llama_vocab* vocabulary);

  int size() const override;
  // Token for token what llama_tokenize() gives, in time that is linear in the text.
  Tokens tokenize(std::string_view text, bool parse_special, bool add_bos) const override;
  std::string piece(Token token, bool render_special) const override;
  bool is_end_of_generation(Token token) const override;
  int longest_piece_bytes() const override { return longest_piece_bytes_; }

 private:
  const llama_vocab* vocabulary_;
  SpecialTokens special_;
  std::vector<uint64_t> joined_;  // pairs of characters inside tokens, sorted; SentencePiece only
  int longest_piece_bytes_ = 1;
  Tokens before_, after_;  // what stands around a whole text: BOS and EOS, where there are such
};

}  // namespace polyphon
