#pragma once

#include <llama.h>

#include <memory>
#include <vector>

#include "model/decoder.h"
#include "model/language_model.h"

namespace polyphon {

// A llama_context with a unified KV cache and flash attention. `model` must outlive it. Throws as
// LanguageModel::make_decoder.
//
// A row's logits do not depend, to the bit, on the rows beside it, except where ggml's CPU flash
// attention changes its kernel, with an f16 or f32 KV cache: at 64 rows and more in one decode
// (tiled), and for one row alone over 512 cells and more on several threads (split). A bf16 or
// quantised cache is free of both, at about half the speed of long prefills.
std::unique_ptr<Decoder> make_llama_decoder(llama_model* model, const DecoderOptions& options);

}  // namespace polyphon
