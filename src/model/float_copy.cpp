#include "model/float_copy.h"

#include <llama.h>

#include "base/error.h"
#include "model/llama_backend.h"

namespace polyphon {

void write_float_copy(const std::string& from, const std::string& to) {
  init_llama_backend();
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.ftype = LLAMA_FTYPE_ALL_F32;
  params.allow_requantize = true;
  take_llama_errors();
  if (llama_model_quantize(from.c_str(), to.c_str(), &params) != 0)
    throw Error(ErrorCode::kInternal, "cannot write " + from + " with float weights to " + to +
                                          ": " + take_llama_errors());
}

}  // namespace polyphon
