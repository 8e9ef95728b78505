// OpenAI's request bodies, read into what the Reasoner takes. Throws Error{kInvalidArgument} with
// the field at fault, Error{kNotFound, field "model"} for a model that is not served.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/sampling.h"
#include "deploy/settings.h"
#include "server/field_reader.h"
#include "sessions/reasoner.h"

namespace polyphon {

// What all generating endpoints share.
struct GenerationRequest : AnswerWishes {
  std::string model;  // as the client wrote it, or the served name
  bool stream = false;
  bool include_usage = false;     // a last chunk with the usage
  std::vector<std::string> echo;  // /v1/completions: the text before each prompt's choices, or none
  // One of the two.
  std::optional<ThinkInput> think;
  std::vector<CompletionRequest> completions;   // one a prompt, all with the same `choices`
  std::shared_ptr<const MessageParser> parser;  // of chat answers; null for /v1/completions

  const SamplingParams& answer_sampling() const {
    return think ? think->answer_sampling : completions[0].sampling;
  }
  size_t choices() const {
    return think ? 1 : completions.size() * static_cast<size_t>(completions[0].choices);
  }
};

struct RequestContext {
  Reasoner& reasoner;
  const ServerOptions& options;
};

GenerationRequest read_chat_request(const OrderedJson& body, const RequestContext& context);
GenerationRequest read_completion_request(const OrderedJson& body, const RequestContext& context);
// /v1/responses: `input` (text or items) and `instructions` become a chat.
GenerationRequest read_responses_request(const OrderedJson& body, const RequestContext& context);

// The messages, tools and response_format of a chat body; nothing of how it is answered.
ChatInput read_chat_input(const FieldReader& fields);

// The prompts of /v1/completions and /v1/embeddings: text, texts, tokens, or arrays of tokens; at
// most `most`, none of them empty.
std::vector<Tokens> read_prompts(const FieldReader& fields, const char* key,
                                 const RequestContext& context, size_t most);
// The served name, an alias, "" or none.
void check_model(const FieldReader& fields, const ServerOptions& options);

}  // namespace polyphon
