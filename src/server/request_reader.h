// OpenAI's request bodies, read into what the Reasoner takes. Throws Error{kInvalidArgument} with
// the field at fault, Error{kNotFound, field "model"} for a model that is not served.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/sampling.h"
#include "reason/reasoner.h"
#include "server/field_reader.h"
#include "server/options.h"

namespace polyphon {

// What all generating endpoints share.
struct GenerationRequest {
  std::string model;  // as the client wrote it, or the served name
  bool stream = false;
  bool include_usage = false;  // a last chunk with the usage
  bool echo = false;           // /v1/completions: the prompt before the text
  std::string echo_text;
  // One of the two.
  std::optional<ThinkInput> think;
  std::vector<CompletionRequest> completions;   // one a prompt
  std::shared_ptr<const MessageParser> parser;  // of chat answers; null for /v1/completions
};

struct RequestContext {
  Reasoner& reasoner;
  const ServerOptions& options;
};

GenerationRequest read_chat_request(const Json& body, const RequestContext& context);
GenerationRequest read_completion_request(const Json& body, const RequestContext& context);
// /v1/responses: `input` (text or messages) and `instructions` become a chat.
GenerationRequest read_responses_request(const Json& body, const RequestContext& context);

// The prompts of /v1/embeddings: text, texts, tokens, or arrays of tokens.
std::vector<Tokens> read_prompts(const FieldReader& fields, const char* key,
                                 const RequestContext& context, size_t most);
void check_model(const FieldReader& fields, const ServerOptions& options);

}  // namespace polyphon
