#pragma once

#include <llama.h>

#include <memory>
#include <vector>

#include "model/decoder.h"
#include "model/language_model.h"

namespace polyphon {

// A llama_context with a unified KV cache and flash attention. `model` must outlive it. Throws as
// LanguageModel::make_decoder.
std::unique_ptr<Decoder> make_llama_decoder(llama_model* model, const DecoderOptions& options);

}  // namespace polyphon
