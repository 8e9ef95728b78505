// /v1/embeddings: reads a request and writes a vector as JSON.
#pragma once

#include <string>
#include <vector>

#include "server/request_reader.h"

namespace polyphon {

struct EmbeddingRequest {
  std::string model;
  std::vector<Tokens> prompts;
  bool base64 = false;  // OpenAI's own client asks for base64
};

EmbeddingRequest read_embedding_request(const OrderedJson& body, const RequestContext& context);
// An array of numbers, or base64 of little-endian 32-bit floats.
Json embedding_json(const std::vector<float>& embedding, bool base64);

}  // namespace polyphon
