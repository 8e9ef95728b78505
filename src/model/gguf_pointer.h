// Owns a GGUF file's metadata as ggml read it.
#pragma once

#include <gguf.h>

#include <memory>

namespace polyphon {

struct FreeGguf {
  void operator()(gguf_context* context) const { gguf_free(context); }
};
using GgufPointer = std::unique_ptr<gguf_context, FreeGguf>;

}  // namespace polyphon
