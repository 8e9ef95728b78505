// A compiled grammar that reads a model's tokens: which of them may come next. Not thread-safe;
// one sequence's.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "grammar/matcher.h"
#include "grammar/token_texts.h"

namespace polyphon {

class TokenMatcher {
 public:
  TokenMatcher(std::shared_ptr<const GrammarProgram> program,
               std::shared_ptr<const TokenTexts> texts);

  // All throw GrammarBudgetExceeded. A token that may not come leaves nothing that may.
  bool allows(Token token);
  // Sets the logits of all other tokens to -infinity. [texts->size()]
  void mask(std::span<float> logits);
  void accept(Token token);
  // A part of a token's text, or of a text that was not generated.
  void accept_text(std::string_view text);

  bool dead() const { return state_ == Matcher::kDead; }

 private:
  using State = Matcher::State;
  void renew();
  State after(State state, std::string_view text);
  State after(State state, Token token);
  const std::vector<bool>& allowed();

  std::shared_ptr<const TokenTexts> texts_;
  Matcher matcher_;
  State state_;
  std::unordered_map<State, std::vector<bool>> masks_;  // of one generation of the matcher
  int generation_ = 0;
};

}  // namespace polyphon
