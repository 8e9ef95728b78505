// A running grammar constraint. Made by LanguageModel::make_grammar, used by one sequence's
// sampler.
#pragma once

#include <memory>
#include <span>

#include "core/token.h"

namespace polyphon {

class Grammar {
 public:
  virtual ~Grammar() = default;

  // Sets the logits of every token that may not come next to -infinity. Walks the whole
  // vocabulary: use allows() on the sampled token first.
  virtual void mask(std::span<float> logits) = 0;  // [vocabulary_size]
  virtual bool allows(Token token) = 0;
  // Advances past a token that was taken. The token must be allowed.
  virtual void accept(Token token) = 0;
  // Why nothing more is allowed although the text is not over: following the grammar would cost
  // more than its budget. Null where there is no such fault. The request must end with an error.
  virtual const char* fault() const { return nullptr; }
};

}  // namespace polyphon
