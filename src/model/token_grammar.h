// Makes grammars over a vocabulary's tokens: the matcher of grammar/, and the triggers that a lazy
// grammar waits for.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "core/sampling.h"
#include "grammar/program.h"
#include "grammar/token_texts.h"
#include "model/grammar.h"
#include "model/vocabulary.h"

namespace polyphon {

// Every method may be called from any thread.
class GrammarMaker {
 public:
  // `vocabulary` must outlive this.
  explicit GrammarMaker(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {}

  // Compiles in time linear in the text; the grammars compiled last are kept. Throws
  // Error{kInvalidArgument, spec.field}: text that is no GBNF, a grammar over its limits, a trigger
  // that is no regular expression, a generation prompt that the grammar does not read.
  std::unique_ptr<Grammar> make(const GrammarSpec& spec) const;

 private:
  std::shared_ptr<const TokenTexts> texts() const;
  std::shared_ptr<const GrammarProgram> program(const std::string& gbnf) const;

  struct Kept {
    std::string gbnf;
    std::shared_ptr<const GrammarProgram> program;
  };
  const Vocabulary& vocabulary_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const TokenTexts> texts_;  // guarded by mutex_; made at first use
  mutable std::deque<Kept> kept_;                    // guarded by mutex_; the last used first
};

}  // namespace polyphon
