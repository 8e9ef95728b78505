// /v1/completions, and prompts in all their spellings.
#include <fmt/format.h>

#include "base/shown.h"
#include "grammar/json_schema.h"
#include "server/chat_input_reader.h"
#include "server/request_reader.h"
#include "server/sampling_reader.h"

namespace polyphon {
namespace {

constexpr size_t kMaxPrompts = 64;

GrammarSpec read_constraint(const FieldReader& fields) {
  GrammarSpec grammar;
  grammar.gbnf = fields.string("grammar").value_or("");
  const OrderedJson schema = read_response_format(fields, "response_format");
  if (schema.is_null()) return grammar;
  if (!grammar.empty()) fields.refuse("grammar", "cannot be combined with response_format");
  grammar.field = "response_format";
  grammar.gbnf = schema_to_gbnf(schema, grammar.field);
  return grammar;
}

}  // namespace

std::vector<Tokens> read_prompts(const FieldReader& fields, const char* key,
                                 const RequestContext& context, size_t most) {
  const Vocabulary& vocabulary = context.reasoner.model().vocabulary();
  std::vector<Tokens> prompts;
  const auto add_tokens = [&](const OrderedJson& tokens) {
    Tokens& prompt = prompts.emplace_back();
    for (const OrderedJson& token : tokens) {
      if (!token.is_number_integer() || token < 0 || token >= vocabulary.size())
        fields.refuse(key,
                      fmt::format("holds {}: not a token of the vocabulary", shown(token.dump())));
      prompt.push_back(token.get<Token>());
    }
  };
  const auto add = [&](const OrderedJson& item) {
    if (item.is_string())
      prompts.push_back(context.reasoner.tokenize_prompt(item.get<std::string>(), false, key));
    else if (item.is_array())
      add_tokens(item);
    else
      fields.refuse(key, "must be text, tokens, or an array of them");
  };
  const OrderedJson* value = fields.find(key);
  if (!value) fields.refuse(key, "is required");
  const bool several = value->is_array() && !value->empty() && !(*value)[0].is_number();
  if (!several) {
    add(*value);
  } else {
    if (value->size() > most)
      fields.refuse(key, fmt::format("has {} entries: at most {}", value->size(), most));
    for (const OrderedJson& item : *value) add(item);
  }
  for (const Tokens& prompt : prompts)
    if (prompt.empty()) fields.refuse(key, "must not be empty");
  return prompts;
}

GenerationRequest read_completion_request(const OrderedJson& body, const RequestContext& context) {
  const FieldReader fields(body);
  GenerationRequest request = read_frame(fields, context.options);
  if (fields.find("suffix"))
    fields.refuse("suffix", "is not available: this server only continues the prompt");
  if (fields.find("polyphon"))
    fields.refuse("polyphon", "needs a chat: send it to /v1/chat/completions");
  const Vocabulary& vocabulary = context.reasoner.model().vocabulary();
  CompletionRequest completion;
  completion.sampling = read_sampling(fields, vocabulary.size());
  completion.sampling.logprobs = static_cast<int>(fields.integer("logprobs", 0, 20).value_or(-1));
  completion.stop = read_stop(fields);
  completion.max_tokens = read_max_tokens(fields, 16);  // OpenAI's default for this endpoint
  completion.choices = read_choices(fields);
  completion.ignore_eos = fields.boolean("ignore_eos").value_or(false);
  completion.grammar = read_constraint(fields);
  const bool echo = fields.boolean("echo").value_or(false);
  if (echo && completion.sampling.logprobs >= 0)
    fields.refuse("echo", "cannot be combined with logprobs: the prompt's are not computed");
  for (Tokens& prompt : read_prompts(fields, "prompt", context, kMaxPrompts)) {
    if (echo) request.echo.push_back(vocabulary.detokenize(prompt, false));
    request.completions.push_back(completion);
    request.completions.back().prompt = std::move(prompt);
  }
  return request;
}

}  // namespace polyphon
