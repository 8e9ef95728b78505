#include "model/float_copy.h"

#include <gguf.h>
#include <llama.h>

#include <memory>

#include "base/error.h"
#include "model/llama_backend.h"

namespace polyphon {

void write_float_copy(const std::string& from, const std::string& to) {
  init_llama_backend();
  take_llama_errors();
  // llama_model_quantize crashes on what is no such file.
  const std::unique_ptr<gguf_context, decltype(&gguf_free)> readable(
      gguf_init_from_file(from.c_str(), {/*no_alloc=*/true, nullptr}), gguf_free);
  if (!readable)
    throw Error(ErrorCode::kInvalidArgument,
                from + " is not a GGUF file, or is damaged: " + take_llama_errors());
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.ftype = LLAMA_FTYPE_ALL_F32;
  params.allow_requantize = true;
  if (llama_model_quantize(from.c_str(), to.c_str(), &params) != 0)
    throw Error(ErrorCode::kInternal, "cannot write " + from + " with float weights to " + to +
                                          ": " + take_llama_errors());
}

}  // namespace polyphon
