// /v1/embeddings: its body, and how a vector is written.
#pragma once

#include <string>
#include <vector>

#include "server/request_reader.h"

namespace polyphon {

struct EmbeddingRequest {
  std::string model;
  std::vector<Tokens> prompts;
  bool base64 = false;  // the official client asks for it
};

EmbeddingRequest read_embedding_request(const OrderedJson& body, const RequestContext& context);
// Numbers, or base64 of little-endian 32-bit floats.
Json embedding_json(const std::vector<float>& embedding, bool base64);

}  // namespace polyphon
