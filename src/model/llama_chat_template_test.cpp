#include "model/llama_chat_template.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "model/real_model_for_test.h"

namespace polyphon {
namespace {

Json says(const char* role, const char* content) { return {{"role", role}, {"content", content}}; }

const Json& weather_tools() {
  static const Json tools = Json::parse(R"([{"type": "function", "function": {
    "name": "weather", "description": "Weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}},
                   "required": ["city"]}}}])");
  return tools;
}

ChatInput ask(const char* question) {
  ChatInput input;
  input.messages = Json::array({says("user", question)});
  return input;
}

const ChatTemplate& chat() { return real_model().chat_template(); }

// The field that render() names.
std::string refused_field(const ChatInput& input) {
  try {
    chat().render(input);
    return "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument) << error.what();
    return error.field();
  }
}

TEST(LlamaChatTemplateRealModel, RendersTurnsAndOpensTheAssistants) {
  ChatInput input;
  input.messages = {says("system", "Be brief."), says("user", "Hi"), says("assistant", "Hello"),
                    says("user", "Bye")};
  const ChatPrompt prompt = chat().render(input);
  EXPECT_EQ(prompt.text,
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
            "<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n"
            "<|im_start|>assistant\n");
  EXPECT_TRUE(prompt.grammar.empty());
  EXPECT_EQ(prompt.parser->parse("So long", false).content, "So long");
  EXPECT_FALSE(chat().source().empty());
}

TEST(LlamaChatTemplateRealModel, AnInterjectionContinuesARenderedChat) {
  EXPECT_EQ(chat().interjection("Sum up."),
            "<|im_end|>\n<|im_start|>user\nSum up.<|im_end|>\n<|im_start|>assistant\n");
  ChatInput input = ask("2+2?");
  const std::string open = chat().render(input).text;
  input.messages.push_back(says("assistant", "4"));
  input.messages.push_back(says("user", "Sure?"));
  EXPECT_EQ(open + "4" + chat().interjection("Sure?"), chat().render(input).text);
}

// Both must constrain: an empty schema is "any object", not "anything".
TEST(LlamaChatTemplateRealModel, ResponseFormatsBecomeGrammars) {
  const Vocabulary& vocabulary = real_model().vocabulary();
  for (const Json& schema : {Json::object(), Json::parse(R"({"type": "object", "required": ["a"],
                                                "properties": {"a": {"type": "integer"}}})")}) {
    ChatInput input = ask("JSON?");
    input.json_schema = schema;
    const ChatPrompt prompt = chat().render(input);
    ASSERT_FALSE(prompt.grammar.empty());
    EXPECT_FALSE(prompt.grammar.lazy);
    const auto grammar = real_model().make_grammar(prompt.grammar);
    EXPECT_FALSE(grammar->allows(vocabulary.tokenize("7", false, false)[0]));
    for (Token token : vocabulary.tokenize("{\"a\": 7}", false, false)) {
      ASSERT_TRUE(grammar->allows(token)) << vocabulary.piece(token, true);
      grammar->accept(token);
    }
    EXPECT_TRUE(grammar->allows(vocabulary.tokenize("<|im_end|>", true, false)[0]));
    for (const char* text : {"{\"a\": 7}", "```json\n{\"a\": 7}\n```"})
      EXPECT_EQ(prompt.parser->parse(text, false).content, "{\"a\": 7}");
  }
}

TEST(LlamaChatTemplateRealModel, ToolsAreDescribedAndTheirCallsRead) {
  ChatInput input = ask("Weather in Rome?");
  input.tools = weather_tools();
  const ChatPrompt prompt = chat().render(input);
  EXPECT_NE(prompt.text.find("\"weather\""), std::string::npos) << prompt.text;
  EXPECT_TRUE(prompt.grammar.lazy);
  EXPECT_FALSE(prompt.grammar.triggers.empty());

  const std::string call =
      "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\"}}\n</tool_call>";
  const ParsedMessage message = prompt.parser->parse(call, false);
  ASSERT_EQ(message.tool_calls.size(), 1u);
  EXPECT_EQ(message.tool_calls[0].name, "weather");
  EXPECT_EQ(Json::parse(message.tool_calls[0].arguments), (Json{{"city", "Rome"}}));
  EXPECT_EQ(message.content, "");
  EXPECT_EQ(prompt.parser->parse("It is sunny.", false).content, "It is sunny.");
  for (size_t length = 0; length < call.size(); ++length)  // as a stream brings it
    EXPECT_EQ(prompt.parser->parse(call.substr(0, length), true).content, "") << length;
}

TEST(LlamaChatTemplateRealModel, ARequiredCallIsForced) {
  ChatInput input = ask("Weather in Rome?");
  input.tools = weather_tools();
  input.tool_choice = "required";
  const ChatPrompt prompt = chat().render(input);
  EXPECT_FALSE(prompt.grammar.lazy);
  const auto grammar = real_model().make_grammar(prompt.grammar);
  const auto decoder = real_model().make_decoder({.context_cells = 512, .max_sequences = 1});
  const Vocabulary& vocabulary = real_model().vocabulary();
  Tokens tokens = vocabulary.tokenize(prompt.text, true, true);
  std::string text;
  for (int i = 0; i < 100; ++i) {
    std::vector<Row> rows;
    for (Token token : tokens)
      rows.push_back(
          {token, decoder->last_position(0) + 1 + static_cast<Position>(rows.size()), 0});
    rows.back().output = true;
    ASSERT_EQ(decoder->decode(rows, false), DecodeStatus::kOk);
    const auto logits = decoder->logits(static_cast<int>(rows.size()) - 1);
    grammar->mask(logits);
    const auto next =
        static_cast<Token>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    if (vocabulary.is_end_of_generation(next)) break;
    grammar->accept(next);
    text += vocabulary.piece(next, true);
    tokens = {next};
  }
  const ParsedMessage message = prompt.parser->parse(text, false);
  ASSERT_EQ(message.tool_calls.size(), 1u) << text;
  EXPECT_EQ(message.tool_calls[0].name, "weather");
  EXPECT_TRUE(Json::parse(message.tool_calls[0].arguments).at("city").is_string());
}

TEST(LlamaChatTemplateRealModel, ToolResultsGoBackToTheModel) {
  ChatInput input = ask("Weather in Rome?");
  input.messages.push_back(Json::parse(R"({"role": "assistant", "content": null, "tool_calls": [
    {"id": "1", "type": "function", "function": {"name": "weather",
     "arguments": "{\"city\": \"Rome\"}"}}]})"));
  input.messages.push_back({{"role", "tool"}, {"tool_call_id", "1"}, {"content", "31 degrees"}});
  for (const bool with_tools : {true, false}) {
    input.tools = with_tools ? weather_tools() : Json();
    const std::string text = chat().render(input).text;
    EXPECT_NE(text.find("31 degrees"), std::string::npos);
    EXPECT_NE(text.find("{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\"}}"),
              std::string::npos)
        << text;
  }
}

TEST(LlamaChatTemplateRealModel, BadInputIsRefusedWithTheFieldAtFault) {
  ChatInput input;
  EXPECT_EQ(refused_field(input), "messages");
  input.messages = Json::array();
  EXPECT_EQ(refused_field(input), "messages");
  input.messages = {{{"role", "user"}, {"content", 7}}};
  EXPECT_EQ(refused_field(input), "messages");
  input.messages = Json::parse(
      R"([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}])");
  EXPECT_EQ(refused_field(input), "messages");

  input = ask("?");
  input.tools = Json::parse(R"([{"type": "retrieval"}])");
  EXPECT_EQ(refused_field(input), "tools");
  input.tools = Json::parse("{}");
  EXPECT_EQ(refused_field(input), "tools");

  input = ask("?");
  input.tool_choice = "sometimes";
  EXPECT_EQ(refused_field(input), "tool_choice");
  input.tool_choice = "required";
  EXPECT_EQ(refused_field(input), "tool_choice");

  input = ask("?");
  input.json_schema = {{"type", "teapot"}};
  EXPECT_EQ(refused_field(input), "response_format");
  input.json_schema = 1;
  for (int i = 0; i < 5000; ++i) input.json_schema = Json{{"items", std::move(input.json_schema)}};
  EXPECT_EQ(refused_field(input), "response_format");

  input = ask("?");
  input.grammar = "root ::= \"a\"";
  EXPECT_EQ(refused_field(input), "accepted");
  input.json_schema = Json::object();
  EXPECT_EQ(refused_field(input), "grammar");
}

TEST(LlamaChatTemplateRealModel, AnOverriddenTemplateIsUsedOrRefused) {
  const auto model = load_language_model(
      {.path = real_model_path(),
       .chat_template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
                        "{% if add_generation_prompt %}[assistant]{% endif %}"});
  EXPECT_EQ(model->chat_template().render(ask("Hi")).text, "[user] Hi\n[assistant]");
  ChatInput with_tools = ask("Hi");
  with_tools.tools = weather_tools();
  EXPECT_THROW(model->chat_template().render(with_tools), Error);
  EXPECT_THROW(load_language_model({.path = real_model_path(), .chat_template = "{% for %}"}),
               Error);
}

}  // namespace
}  // namespace polyphon
