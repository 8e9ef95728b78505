// A model without its weights: vocabulary, chat template and grammars, for what turns text into
// tokens and decodes nothing. Loads in a fraction of the time and memory.
#pragma once

#include <memory>

#include "model/language_model.h"

namespace polyphon {

// Its info() knows no sizes, and make_decoder() CHECKs. Throws as load_language_model().
std::unique_ptr<LanguageModel> load_weightless_model(const ModelOptions& options);

}  // namespace polyphon
