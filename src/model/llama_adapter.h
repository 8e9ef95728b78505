// LoRA adapters as libllama loads them. An adapter belongs to a model's weights and is set on a
// context: another context over the same weights may have another one, or none.
#pragma once

#include <llama.h>

#include <memory>
#include <string>

namespace polyphon {

struct FreeAdapter {
  void operator()(llama_adapter_lora* adapter) const { llama_adapter_lora_free(adapter); }
};
// Outlives the contexts that it is set on, and not the model.
using Adapter = std::unique_ptr<llama_adapter_lora, FreeAdapter>;

// Throws Error{kNotFound} for no file, Error{kInvalidArgument} for no adapter, or one of another
// architecture or shape.
Adapter set_adapter(llama_context* context, llama_model* model, const std::string& path);

}  // namespace polyphon
