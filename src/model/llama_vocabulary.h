#pragma once

#include <llama.h>

#include "model/vocabulary.h"

namespace polyphon {

class LlamaVocabulary final : public Vocabulary {
 public:
  // `vocabulary` belongs to a model that outlives this.
  explicit LlamaVocabulary(const llama_vocab* vocabulary) : vocabulary_(vocabulary) {}

  int size() const override;
  Tokens tokenize(std::string_view text, bool parse_special, bool add_bos) const override;
  std::string piece(Token token, bool render_special) const override;
  bool is_end_of_generation(Token token) const override;

 private:
  const llama_vocab* vocabulary_;
};

}  // namespace polyphon
