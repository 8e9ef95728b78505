#include "model/llama_chat_template.h"

#include <chat.h>
#include <fmt/format.h>

#include <algorithm>
#include <regex>

#include "base/error.h"
#include "model/chatml_tools.h"
#include "model/schema_placeholders.h"

namespace polyphon {
namespace {

[[noreturn]] void refuse(const char* field, const std::string& why) {
  throw Error(ErrorCode::kInvalidArgument, std::string(field) + why, field);
}

// Runs `body`, turning what llama.cpp's `common` throws into an error of the field.
template <typename Body>
auto as_field_error(const std::string& field, Body body) {
  try {
    return body();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    std::string why = error.what();
    std::replace(why.begin(), why.end(), '\n', ' ');
    throw Error(ErrorCode::kInvalidArgument, field + ": " + why, field);
  }
}

// llama.cpp's readers of JSON recurse: a stack that overflows would take the server down.
constexpr int kMaxJsonNesting = 100;

bool nests_deeper(const OrderedJson& json, int levels) {
  if (!json.is_structured()) return false;
  if (levels == 0) return true;
  return std::any_of(json.begin(), json.end(),
                     [&](const OrderedJson& part) { return nests_deeper(part, levels - 1); });
}

void check_nesting(const OrderedJson& json, const char* field) {
  if (nests_deeper(json, kMaxJsonNesting))
    refuse(field, fmt::format(" nests deeper than {} levels", kMaxJsonNesting));
}

// Between their JSON type and ours goes text: neither leaves its side.
common_json to_common(const OrderedJson& json, const char* field) {
  check_nesting(json, field);
  return common_json::parse(json.dump());
}

bool has_tools(const ChatInput& input) { return input.tools.is_array() && !input.tools.empty(); }

bool mentions_tools(const ChatInput& input) {
  return has_tools(input) ||
         std::any_of(input.messages.begin(), input.messages.end(), [](const OrderedJson& message) {
           return message.is_object() &&
                  (message.contains("tool_calls") || message.value("role", "") == "tool");
         });
}

void check_constraints(const ChatInput& input) {
  if (!input.grammar.empty() && (has_tools(input) || !input.json_schema.is_null()))
    refuse("grammar", " cannot be combined with response_format or tools");
  if (input.tool_choice == "required" && !has_tools(input))
    refuse("tool_choice", " is 'required', but there are no tools");
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

GrammarSpec to_grammar(const common_chat_params& params) {
  GrammarSpec grammar;
  grammar.gbnf = params.grammar;
  grammar.lazy = params.grammar_lazy;
  for (const auto& trigger : params.grammar_triggers)
    grammar.triggers.push_back(to_trigger(trigger));
  grammar.generation_prompt = params.generation_prompt;
  return grammar;
}

// llama.cpp's grammars for tools let text come before a required call, and a small model then never
// gets to the call; and they allow several calls where one was asked for.
std::string as_strict_as_asked(std::string gbnf, const ChatInput& input) {
  static const std::regex kOptionalText("(root ::= [^\n]*)until-[0-9]+\\? (?=tool-call)");
  static const std::regex kManyCalls("(tool-calls ::= )\\((tool-call space)\\)\\+");
  if (input.tool_choice == "required") gbnf = std::regex_replace(gbnf, kOptionalText, "$1");
  if (!input.parallel_tool_calls) gbnf = std::regex_replace(gbnf, kManyCalls, "$1$2");
  return gbnf;
}

class LlamaChatTemplate final : public ChatTemplate {
 public:
  explicit LlamaChatTemplate(common_chat_templates_ptr templates)
      : templates_(std::move(templates)), knows_tools_(knows_tools(templates_.get())) {
    if (!knows_tools_ && source().find("<|im_start|>") != std::string::npos)
      with_tools_ = common_chat_templates_init(nullptr, kChatMlToolsTemplate);
  }

  ChatPrompt render(const ChatInput& input) const override {
    check_constraints(input);
    const common_chat_templates* templates = templates_.get();
    if (!knows_tools_ && mentions_tools(input)) {
      if (with_tools_)
        templates = with_tools_.get();
      else if (has_tools(input))
        refuse("tools", ": this model's chat template knows no tools");
    }
    const auto apply = [&](const common_chat_templates_inputs& inputs) {
      return as_field_error("messages",
                            [&] { return common_chat_templates_apply(templates, inputs); });
    };
    common_chat_templates_inputs inputs = read(input);
    ChatPrompt prompt;
    SchemaPlaceholders placeholders;
    // The prompt shows the tools as they are, and no placeholder.
    const bool binds = has_tools(input) || !input.json_schema.is_null();
    if (binds) {
      common_chat_templates_inputs unbound = inputs;
      unbound.tool_choice = COMMON_CHAT_TOOL_CHOICE_NONE;
      prompt.text = apply(unbound).prompt;
    }
    if (has_tools(input)) inputs.tools = read_tools(placeholders.tools(input.tools));
    if (!input.json_schema.is_null())
      inputs.json_schema = placeholders.response_format(input.json_schema).dump();
    const auto params = apply(inputs);
    if (!binds) prompt.text = params.prompt;
    prompt.stops = params.additional_stops;
    prompt.parser = std::make_shared<LlamaMessageParser>(params);
    prompt.grammar = to_grammar(params);
    prompt.grammar.field = has_tools(input) ? "tools" : "response_format";
    if (has_tools(input))
      prompt.grammar.gbnf = as_strict_as_asked(std::move(prompt.grammar.gbnf), input);
    if (!prompt.grammar.gbnf.empty())
      prompt.grammar.gbnf = placeholders.replace(prompt.grammar.gbnf);
    if (!input.grammar.empty())  // the caller's own, which `common` forgets on some templates
      prompt.grammar = GrammarSpec{input.grammar};
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
  static bool knows_tools(const common_chat_templates* templates) {
    const auto capabilities = common_chat_templates_get_caps(templates);
    const auto tools = capabilities.find("supports_tools");
    return tools != capabilities.end() && tools->second;
  }

  static std::vector<common_chat_tool> read_tools(const OrderedJson& tools) {
    return as_field_error(
        "tools", [&] { return common_chat_tools_parse_oaicompat(to_common(tools, "tools")); });
  }

  static common_chat_templates_inputs read(const ChatInput& input) {
    common_chat_templates_inputs inputs;
    inputs.messages = as_field_error("messages", [&] {
      return common_chat_msgs_parse_oaicompat(to_common(input.messages, "messages"));
    });
    if (inputs.messages.empty()) refuse("messages", " must not be empty");
    inputs.tools = read_tools(input.tools);
    inputs.tool_choice = as_field_error(
        "tool_choice", [&] { return common_chat_tool_choice_parse_oaicompat(input.tool_choice); });
    inputs.parallel_tool_calls = input.parallel_tool_calls;
    inputs.enable_thinking = input.enable_thinking;
    inputs.reasoning_format = COMMON_REASONING_FORMAT_DEEPSEEK;
    inputs.grammar = input.grammar;
    if (!input.template_kwargs.is_null())
      as_field_error("chat_template_kwargs", [&] {
        check_nesting(input.template_kwargs, "chat_template_kwargs");
        for (const auto& [name, value] : input.template_kwargs.items())
          inputs.chat_template_kwargs[name] = value.dump();
        return true;
      });
    return inputs;
  }

  common_chat_templates_ptr templates_;
  bool knows_tools_;
  common_chat_templates_ptr with_tools_;  // for requests with tools; may be null
};

}  // namespace

std::unique_ptr<ChatTemplate> make_llama_chat_template(const llama_model* model,
                                                       const std::string& override_source) {
  return as_field_error("chat_template", [&] {
    return std::make_unique<LlamaChatTemplate>(common_chat_templates_init(model, override_source));
  });
}

}  // namespace polyphon
