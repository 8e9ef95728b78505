#include "server/request_reader.h"

#include <fmt/format.h>

#include <random>

#include "base/error.h"

namespace polyphon {
namespace {

constexpr int kMostTokens = 1 << 20;
constexpr int kMostChoices = 32;

void read_logit_bias(const FieldReader& fields, SamplingParams& params) {
  const Json* biases = fields.object("logit_bias");
  if (!biases) return;
  for (const auto& [token, bias] : biases->items()) {
    const bool number = !token.empty() && token.size() < 10 &&
                        token.find_first_not_of("0123456789") == std::string::npos;
    if (!number || !bias.is_number())
      fields.refuse("logit_bias", "must map token ids to numbers, not '" + token + "'");
    params.logit_bias.emplace_back(std::stoi(token), bias.get<float>());
  }
}

SamplingParams read_sampling(const FieldReader& fields, int vocabulary_size) {
  SamplingParams params;
  const auto set = [&](const char* key, float& value) {
    if (const auto number = fields.number(key, -1e6, 1e6)) value = static_cast<float>(*number);
  };
  set("temperature", params.temperature);
  set("top_p", params.top_p);
  set("min_p", params.min_p);
  set("repeat_penalty", params.repetition_penalty);
  set("repetition_penalty", params.repetition_penalty);
  set("frequency_penalty", params.frequency_penalty);
  set("presence_penalty", params.presence_penalty);
  if (const auto k = fields.integer("top_k", -1, kMostTokens))
    params.top_k = static_cast<int>(std::max<int64_t>(0, *k));
  if (const auto n = fields.integer("repeat_last_n", -1, kMostTokens))
    params.penalty_last_n = static_cast<int>(*n);
  read_logit_bias(fields, params);
  const auto seed = fields.integer("seed", INT64_MIN, INT64_MAX);
  params.seed =
      seed ? static_cast<uint64_t>(*seed)
           : (static_cast<uint64_t>(std::random_device{}()) << 32) ^ std::random_device{}();
  validate(params, vocabulary_size);
  return params;
}

int read_max_tokens(const FieldReader& fields, int otherwise) {
  for (const char* key : {"max_completion_tokens", "max_output_tokens", "max_tokens"})
    if (const auto value = fields.integer(key, 1, kMostTokens)) return static_cast<int>(*value);
  return otherwise;
}

void read_stream(const FieldReader& fields, GenerationRequest& request) {
  request.stream = fields.boolean("stream").value_or(false);
  if (const Json* options = fields.object("stream_options"))
    request.include_usage =
        FieldReader(*options, "stream_options").boolean("include_usage").value_or(false);
}

// The schema that response_format asks for: null, {} for any object, or the schema.
Json read_response_format(const FieldReader& fields, const char* key) {
  const Json* format = fields.object(key);
  if (!format) return nullptr;
  const FieldReader reader(*format, fields.path(key));
  const std::string type = reader.string("type").value_or("");
  if (type == "text") return nullptr;
  if (type == "json_object") {
    const Json* schema = reader.object("schema");
    return schema ? *schema : Json::object();
  }
  if (type != "json_schema")
    reader.refuse("type", "is '" + type + "': must be text, json_object or json_schema");
  const Json* wrapped = reader.object("json_schema");
  const Json* schema = wrapped ? FieldReader(*wrapped, reader.path("json_schema")).object("schema")
                               : reader.object("schema");
  if (!schema) reader.refuse("json_schema", "must hold a schema object");
  return *schema;
}

// Messages in the shape that templates take; content parts that are not text are refused.
Json checked_messages(const FieldReader& fields, const char* key) {
  const Json* messages = fields.array(key);
  if (!messages) fields.refuse(key, "is required");
  if (messages->empty()) fields.refuse(key, "must not be empty");
  for (size_t i = 0; i < messages->size(); ++i) {
    const std::string path = fmt::format("{}[{}]", fields.path(key), i);
    const FieldReader message((*messages)[i], path);
    const auto role = message.string("role");
    if (!role) message.refuse("role", "is required");
    const bool known = *role == "system" || *role == "developer" || *role == "user" ||
                       *role == "assistant" || *role == "tool";
    if (!known)
      message.refuse("role",
                     "is '" + *role + "': must be system, developer, user, assistant or tool");
    const Json* content = message.find("content");
    if (!content) {
      if (!message.find("tool_calls")) message.refuse("content", "is required");
      continue;
    }
    if (content->is_string()) continue;
    if (!content->is_array()) message.refuse("content", "must be a string or an array of parts");
    for (size_t j = 0; j < content->size(); ++j) {
      const FieldReader part((*content)[j], fmt::format("{}.content[{}]", path, j));
      const auto type = part.string("type").value_or("");
      if (type != "text" && type != "input_text" && type != "output_text")
        part.refuse("type", "is '" + type + "': this server takes text only");
      if (!part.string("text")) part.refuse("text", "is required");
    }
  }
  return *messages;
}

void read_tools(const FieldReader& fields, ChatInput& chat) {
  const Json* tools = fields.array("tools");
  if (tools && !tools->empty()) {
    for (size_t i = 0; i < tools->size(); ++i) {
      const FieldReader tool((*tools)[i], fmt::format("tools[{}]", i));
      if (tool.string("type").value_or("function") != "function")
        tool.refuse("type", "must be 'function'");
      const Json* function = tool.object("function");
      if (!function) tool.refuse("function", "is required");
      const FieldReader reader(*function, tool.path("function"));
      if (reader.string("name").value_or("").empty()) reader.refuse("name", "is required");
      const Json* parameters = reader.object("parameters");
      if (!parameters) continue;
      try {
        grammar_of_schema(*parameters);
      } catch (const Error& error) {
        reader.refuse("parameters", std::string("is no JSON schema: ") + error.what());
      }
    }
    chat.tools = *tools;
  }
  if (const Json* choice = fields.find("tool_choice")) {
    if (choice->is_object())
      chat.tool_choice =
          "required";  // naming one function among several: the grammar requires a call
    else
      chat.tool_choice = *fields.string("tool_choice");
    if (chat.tool_choice != "auto" && chat.tool_choice != "none" && chat.tool_choice != "required")
      fields.refuse("tool_choice", "is '" + chat.tool_choice + "': must be auto, none or required");
  }
  chat.parallel_tool_calls = fields.boolean("parallel_tool_calls").value_or(false);
}

// What design.md promises for later versions: refused unless it asks for nothing.
void refuse_unavailable(const FieldReader& fields) {
  for (const char* key : {"registers", "search", "memory", "gate_threshold"}) {
    const Json* value = fields.find(key);
    if (!value) continue;
    const bool off = *value == false || *value == "off" || *value == 0;
    if (!off) fields.refuse(key, "is not available in this version");
  }
}

ThinkInput read_think(const Json* wishes, const RequestContext& context) {
  const ReasonOptions& defaults = context.reasoner.options();
  ThinkInput input;
  input.topology = defaults.topology;
  input.merge = defaults.merge;
  input.narrow = true;  // a default topology may be narrowed
  if (!wishes) return input;
  const FieldReader fields(*wishes, "polyphon");
  refuse_unavailable(fields);
  if (const auto topology = fields.string("topology")) {
    input.topology = parse_topology(*topology);
    input.narrow = false;
  }
  if (const auto narrow = fields.boolean("narrow")) input.narrow = *narrow;
  if (const auto merge = fields.string("merge")) input.merge = parse_merge_mode(*merge);
  if (const auto seed = fields.integer("seed", INT64_MIN, INT64_MAX))
    input.sampling.seed = static_cast<uint64_t>(*seed);
  return input;
}

GenerationRequest chat_request(const FieldReader& fields, ChatInput chat,
                               const RequestContext& context) {
  const Vocabulary& vocabulary = context.reasoner.model().vocabulary();
  GenerationRequest request;
  request.model = fields.string("model").value_or("");
  if (request.model.empty()) request.model = context.options.served_name;
  read_stream(fields, request);
  SamplingParams sampling = read_sampling(fields, vocabulary.size());
  if (fields.boolean("logprobs").value_or(false))
    sampling.logprobs = static_cast<int>(fields.integer("top_logprobs", 0, 20).value_or(0));
  else if (fields.find("top_logprobs"))
    fields.refuse("top_logprobs", "needs logprobs to be true");
  if (const auto grammar = fields.string("grammar")) chat.grammar = *grammar;
  if (!chat.grammar.empty() && (!chat.json_schema.is_null() || !chat.tools.is_null()))
    fields.refuse("grammar", "cannot be combined with response_format or tools");
  if (const Json* kwargs = fields.object("chat_template_kwargs")) chat.template_kwargs = *kwargs;
  const std::vector<std::string> stop = fields.strings("stop", 16);
  const auto choices = static_cast<int>(fields.integer("n", 1, kMostChoices).value_or(1));
  const int max_tokens = read_max_tokens(fields, context.options.default_max_tokens);

  const ChatPrompt prompt = context.reasoner.model().chat_template().render(chat);
  request.parser = prompt.parser;
  const Json* wishes = fields.object("polyphon");
  const bool views = context.reasoner.model().info().supports_views;
  if (wishes || (context.options.think_by_default && views)) {
    if (choices > 1) fields.refuse("n", "must be 1 for a request that thinks in streams");
    const uint64_t seed = sampling.seed;
    ThinkInput think = read_think(wishes, context);
    const bool own_seed = wishes && FieldReader(*wishes, "polyphon").find("seed");
    sampling.seed = own_seed ? think.sampling.seed : seed;
    think.answer_sampling = sampling;
    think.sampling = sampling;
    think.sampling.logprobs = -1;
    think.chat = std::move(chat);
    think.stop = stop;
    think.max_answer_tokens = read_max_tokens(fields, context.reasoner.options().max_answer_tokens);
    request.think = std::move(think);
    return request;
  }
  CompletionRequest completion;
  completion.prompt = vocabulary.tokenize(prompt.text, true, true);
  completion.sampling = sampling;
  completion.grammar = prompt.grammar;
  completion.stop = stop;
  completion.stop.insert(completion.stop.end(), prompt.stops.begin(), prompt.stops.end());
  completion.max_tokens = max_tokens;
  completion.choices = choices;
  request.completions.push_back(std::move(completion));
  return request;
}

}  // namespace

void check_model(const FieldReader& fields, const ServerOptions& options) {
  const auto model = fields.string("model");
  if (!model || model->empty() || *model == options.served_name) return;
  throw Error(
      ErrorCode::kNotFound,
      fmt::format("the model '{}' is not served here; use '{}'", *model, options.served_name),
      "model");
}

GenerationRequest read_chat_request(const Json& body, const RequestContext& context) {
  const FieldReader fields(body);
  check_model(fields, context.options);
  ChatInput chat;
  chat.messages = checked_messages(fields, "messages");
  chat.json_schema = read_response_format(fields, "response_format");
  read_tools(fields, chat);
  return chat_request(fields, std::move(chat), context);
}

GenerationRequest read_responses_request(const Json& body, const RequestContext& context) {
  const FieldReader fields(body);
  check_model(fields, context.options);
  ChatInput chat;
  chat.messages = Json::array();
  if (const auto instructions = fields.string("instructions"))
    chat.messages.push_back({{"role", "system"}, {"content", *instructions}});
  const Json* input = fields.find("input");
  if (!input) fields.refuse("input", "is required");
  if (input->is_string())
    chat.messages.push_back({{"role", "user"}, {"content", *input}});
  else
    for (Json message : checked_messages(fields, "input")) {
      std::string text;
      if (message["content"].is_array()) {
        for (const Json& part : message["content"]) text += part["text"].get<std::string>();
        message["content"] = text;
      }
      chat.messages.push_back({{"role", message["role"]}, {"content", message["content"]}});
    }
  if (const Json* text = fields.object("text"))
    chat.json_schema = read_response_format(FieldReader(*text, "text"), "format");
  return chat_request(fields, std::move(chat), context);
}

std::vector<Tokens> read_prompts(const FieldReader& fields, const char* key,
                                 const RequestContext& context, size_t most) {
  const Vocabulary& vocabulary = context.reasoner.model().vocabulary();
  const Json* value = fields.find(key);
  if (!value) fields.refuse(key, "is required");
  std::vector<Tokens> prompts;
  const auto add_text = [&](const Json& text) {
    prompts.push_back(vocabulary.tokenize(text.get<std::string>(), false, true));
  };
  const auto add_tokens = [&](const Json& tokens) {
    Tokens prompt;
    for (const Json& token : tokens) {
      if (!token.is_number_integer() || token < 0 || token >= vocabulary.size())
        fields.refuse(key, fmt::format("holds {}: not a token of the vocabulary", token.dump()));
      prompt.push_back(token.get<Token>());
    }
    prompts.push_back(std::move(prompt));
  };
  if (value->is_string()) {
    add_text(*value);
  } else if (value->is_array() && !value->empty() && (*value)[0].is_number()) {
    add_tokens(*value);
  } else if (value->is_array()) {
    if (value->size() > most)
      fields.refuse(key, fmt::format("has {} entries: at most {}", value->size(), most));
    for (const Json& item : *value) {
      if (item.is_string())
        add_text(item);
      else if (item.is_array())
        add_tokens(item);
      else
        fields.refuse(key, "must be text, tokens, or an array of them");
    }
  } else {
    fields.refuse(key, "must be text, tokens, or an array of them");
  }
  for (const Tokens& prompt : prompts)
    if (prompt.empty()) fields.refuse(key, "must not be empty");
  if (prompts.empty()) fields.refuse(key, "must not be empty");
  return prompts;
}

GenerationRequest read_completion_request(const Json& body, const RequestContext& context) {
  const FieldReader fields(body);
  check_model(fields, context.options);
  if (fields.find("suffix")) fields.refuse("suffix", "is not supported");
  if (fields.find("polyphon")) fields.refuse("polyphon", "needs a chat: use /v1/chat/completions");
  const Vocabulary& vocabulary = context.reasoner.model().vocabulary();
  GenerationRequest request;
  request.model = fields.string("model").value_or(context.options.served_name);
  read_stream(fields, request);
  request.echo = fields.boolean("echo").value_or(false);
  CompletionRequest completion;
  completion.sampling = read_sampling(fields, vocabulary.size());
  completion.sampling.logprobs = static_cast<int>(fields.integer("logprobs", 0, 20).value_or(-1));
  completion.stop = fields.strings("stop", 16);
  completion.max_tokens = read_max_tokens(fields, 16);  // OpenAI's default here
  completion.choices = static_cast<int>(fields.integer("n", 1, kMostChoices).value_or(1));
  completion.ignore_eos = fields.boolean("ignore_eos").value_or(false);
  if (const auto grammar = fields.string("grammar")) completion.grammar.gbnf = *grammar;
  for (Tokens& prompt : read_prompts(fields, "prompt", context, 64)) {
    if (request.echo) request.echo_text = vocabulary.detokenize(prompt, false);
    request.completions.push_back(completion);
    request.completions.back().prompt = std::move(prompt);
  }
  if (request.completions.size() > 1 && (request.stream || request.echo))
    fields.refuse("prompt", "must be a single one for stream or echo");
  return request;
}

}  // namespace polyphon
