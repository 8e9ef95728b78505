#pragma once

#include <llama.h>

#include <memory>

#include "core/sampling.h"
#include "model/grammar.h"
#include "model/vocabulary.h"

namespace polyphon {

// Throws Error{kInvalidArgument, field "grammar"}. Both vocabularies must outlive the grammar.
std::unique_ptr<Grammar> make_llama_grammar(const llama_vocab* vocabulary, const Vocabulary& text,
                                            const GrammarSpec& spec);

}  // namespace polyphon
