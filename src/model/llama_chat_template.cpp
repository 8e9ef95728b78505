#include "model/llama_chat_template.h"

#include <chat.h>
#include <json-schema-to-grammar.h>

#include "base/error.h"

namespace polyphon {
namespace {

// Between their JSON type and ours goes text: neither leaves its side.
common_json to_common(const Json& json) { return common_json::parse(json.dump()); }

// Runs `body`, turning what llama.cpp's `common` throws into an error of the field.
template <typename Body>
auto as_field_error(const char* field, Body body) {
  try {
    return body();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(ErrorCode::kInvalidArgument, std::string(field) + ": " + error.what(), field);
  }
}

GrammarSpec::Trigger to_trigger(const common_grammar_trigger& trigger) {
  using Kind = GrammarSpec::Trigger::Kind;
  switch (trigger.type) {
    case COMMON_GRAMMAR_TRIGGER_TYPE_TOKEN:
      return {Kind::kToken, trigger.value, trigger.token};
    case COMMON_GRAMMAR_TRIGGER_TYPE_WORD:
      return {Kind::kWord, trigger.value, -1};
    case COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN:
      return {Kind::kPattern, trigger.value, -1};
    case COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN_FULL:
      break;
  }
  return {Kind::kPatternFull, trigger.value, -1};
}

class LlamaMessageParser final : public MessageParser {
 public:
  explicit LlamaMessageParser(const common_chat_params& params) : params_(params) {
    params_.reasoning_format = COMMON_REASONING_FORMAT_DEEPSEEK;
    if (!params.parser.empty()) params_.parser.load(params.parser);
  }

  ParsedMessage parse(const std::string& text, bool partial) const override {
    try {
      const common_chat_msg message = common_chat_parse(text, partial, params_);
      ParsedMessage parsed{message.content, message.reasoning_content, {}};
      for (const common_chat_tool_call& call : message.tool_calls)
        parsed.tool_calls.push_back({call.id, call.name, call.arguments});
      return parsed;
    } catch (const std::exception& error) {
      throw Error(ErrorCode::kInternal, std::string("the answer cannot be read: ") + error.what());
    }
  }

 private:
  common_chat_parser_params params_;
};

class LlamaChatTemplate final : public ChatTemplate {
 public:
  explicit LlamaChatTemplate(common_chat_templates_ptr templates)
      : templates_(std::move(templates)) {}

  ChatPrompt render(const ChatInput& input) const override {
    const common_chat_templates_inputs inputs = read(input);
    const auto params = as_field_error(
        "messages", [&] { return common_chat_templates_apply(templates_.get(), inputs); });
    ChatPrompt prompt;
    prompt.text = params.prompt;
    prompt.stops = params.additional_stops;
    prompt.parser = std::make_shared<LlamaMessageParser>(params);
    prompt.grammar.gbnf = params.grammar;
    prompt.grammar.lazy = params.grammar_lazy;
    for (const auto& trigger : params.grammar_triggers)
      prompt.grammar.triggers.push_back(to_trigger(trigger));
    if (input.grammar.empty()) prompt.grammar.generation_prompt = params.generation_prompt;
    return prompt;
  }

  std::string interjection(const std::string& instruction) const override {
    static const std::string kMarker = "POLYPHON-OPEN-TURN";
    ChatInput input;
    input.messages = {{{"role", "user"}, {"content", "?"}},
                      {{"role", "assistant"}, {"content", kMarker}},
                      {{"role", "user"}, {"content", instruction}}};
    const std::string text = render(input).text;
    const size_t at = text.rfind(kMarker);
    if (at == std::string::npos) return "\n\n" + instruction + "\n\n";
    return text.substr(at + kMarker.size());
  }

  std::string source() const override { return common_chat_templates_source(templates_.get()); }

 private:
  static common_chat_templates_inputs read(const ChatInput& input) {
    common_chat_templates_inputs inputs;
    inputs.messages = as_field_error(
        "messages", [&] { return common_chat_msgs_parse_oaicompat(to_common(input.messages)); });
    if (!input.tools.is_null())
      inputs.tools = as_field_error(
          "tools", [&] { return common_chat_tools_parse_oaicompat(to_common(input.tools)); });
    inputs.tool_choice = as_field_error(
        "tool_choice", [&] { return common_chat_tool_choice_parse_oaicompat(input.tool_choice); });
    inputs.parallel_tool_calls = input.parallel_tool_calls;
    inputs.enable_thinking = input.enable_thinking;
    inputs.reasoning_format = COMMON_REASONING_FORMAT_DEEPSEEK;
    inputs.grammar = input.grammar;
    if (!input.json_schema.is_null()) {
      grammar_of_schema(input.json_schema);  // for its error
      inputs.json_schema = input.json_schema.dump();
    }
    if (input.template_kwargs.is_object())
      for (const auto& [name, value] : input.template_kwargs.items())
        inputs.chat_template_kwargs[name] = value.dump();
    return inputs;
  }

  common_chat_templates_ptr templates_;
};

}  // namespace

std::unique_ptr<ChatTemplate> make_llama_chat_template(const llama_model* model,
                                                       const std::string& override_source) {
  return as_field_error("chat_template", [&] {
    return std::make_unique<LlamaChatTemplate>(common_chat_templates_init(model, override_source));
  });
}

std::string grammar_of_schema(const Json& schema) {
  return as_field_error("response_format", [&] {
    // {} means any value to a schema, but any object to response_format.
    const Json any_object = {{"type", "object"}};
    return json_schema_to_grammar(to_common(schema.empty() ? any_object : schema));
  });
}

}  // namespace polyphon
