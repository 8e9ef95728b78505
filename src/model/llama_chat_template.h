#pragma once

#include <llama.h>

#include <memory>
#include <string>

#include "model/chat_template.h"

namespace polyphon {

// The model's own template, or `override_source` when not empty (ChatML where the model has none).
// Throws Error{kInvalidArgument} when the template does not parse.
std::unique_ptr<ChatTemplate> make_llama_chat_template(const llama_model* model,
                                                       const std::string& override_source);

}  // namespace polyphon
