#include "model/llama_adapter.h"

#include <gguf.h>
#include <unistd.h>

#include "base/error.h"
#include "model/language_model.h"
#include "model/llama_backend.h"

namespace polyphon {
namespace {

void check_readable(const std::string& path) {
  if (access(path.c_str(), R_OK) != 0)
    throw Error(ErrorCode::kNotFound, "cannot read the adapter " + path);
}

}  // namespace

Adapter set_adapter(llama_context* context, llama_model* model, const std::string& path) {
  check_readable(path);
  take_llama_errors();
  Adapter adapter(llama_adapter_lora_init(model, path.c_str()));
  if (!adapter)
    throw Error(ErrorCode::kInvalidArgument,
                path + " is no adapter of this model: " + take_llama_errors());
  llama_adapter_lora* one = adapter.get();
  float scale = 1;
  if (llama_set_adapters_lora(context, &one, 1, &scale) != 0)
    throw Error(ErrorCode::kInternal, "cannot set the adapter " + path);
  return adapter;
}

std::string adapter_base_digest(const std::string& path) {
  init_llama_backend();
  check_readable(path);
  take_llama_errors();
  const std::unique_ptr<gguf_context, decltype(&gguf_free)> file(
      gguf_init_from_file(path.c_str(), {/*no_alloc=*/true, nullptr}), gguf_free);
  if (!file)
    throw Error(ErrorCode::kInvalidArgument,
                path + " is not a GGUF file, or is damaged: " + take_llama_errors());
  const int64_t key = gguf_find_key(file.get(), "polyphon.base_sha256");
  if (key < 0 || gguf_get_kv_type(file.get(), key) != GGUF_TYPE_STRING) return "";
  return gguf_get_val_str(file.get(), key);
}

}  // namespace polyphon
