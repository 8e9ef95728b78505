// The trained LoRA as stock llama.cpp loads it: a GGUF of general.type "adapter" with a pair of F32
// tensors a projection. Our weights are in the file's own order of q's and k's rows
// (weight_file.h), so nothing is permuted.
#pragma once

#include <string>

#include "tensors/lora.h"

namespace polyphon {

// `architecture` and `base_digest` (SHA-256 of the base's file) are kept in the metadata. Throws
// Error{kInternal} when it cannot be written; an older file at `path` is then still whole.
void write_adapter(const std::string& path, const Lora& lora, const std::string& architecture,
                   const std::string& base_digest);

// Into weights of the same rank, alpha and projections. Throws Error{kNotFound}, or
// Error{kInvalidArgument} with what differs: not such a file, of another base.
void read_adapter(const std::string& path, const Lora& lora, const std::string& base_digest);

// With the rank, alpha and projections that the file has. Throws as read_adapter(), and
// Error{kInvalidArgument} for a file without a pair of layer 0.
Lora load_adapter(const std::string& path, const ModelShape& shape, const std::string& base_digest);

}  // namespace polyphon
