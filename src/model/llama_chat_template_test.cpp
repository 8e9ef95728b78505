#include "model/llama_chat_template.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "model/real_model_for_test.h"

namespace polyphon {
namespace {

OrderedJson says(const char* role, const char* content) {
  return {{"role", role}, {"content", content}};
}

const OrderedJson& weather_tools() {
  static const OrderedJson tools = OrderedJson::parse(R"([{"type": "function", "function": {
    "name": "weather", "description": "Weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}},
                   "required": ["city"]}}}])");
  return tools;
}

ChatInput ask(const char* question) {
  ChatInput input;
  input.messages = OrderedJson::array({says("user", question)});
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
  for (const OrderedJson& schema :
       {OrderedJson::object(), OrderedJson::parse(R"({"type": "object", "required": ["a"],
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
  EXPECT_EQ(OrderedJson::parse(message.tool_calls[0].arguments), (OrderedJson{{"city", "Rome"}}));
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
  EXPECT_TRUE(OrderedJson::parse(message.tool_calls[0].arguments).at("city").is_string());
}

// Whether the grammar of a rendered request reads the whole text.
bool reads(const LanguageModel& model, const ChatInput& input, const std::string& text) {
  const auto grammar = model.make_grammar(model.chat_template().render(input).grammar);
  const Vocabulary& vocabulary = model.vocabulary();
  for (Token token : vocabulary.tokenize(text, true, false)) {
    if (!grammar->allows(token)) return false;
    grammar->accept(token);
  }
  return grammar->allows(vocabulary.tokenize("<|im_end|>", true, false)[0]);
}

OrderedJson tool(const std::string& name, const std::string& parameters) {
  return {{"type", "function"},
          {"function", {{"name", name}, {"parameters", OrderedJson::parse(parameters)}}}};
}

std::string call(const std::string& name, const std::string& arguments) {
  return "<tool_call>\n{\"name\": \"" + name + "\", \"arguments\": " + arguments +
         "}\n</tool_call>";
}

TEST(LlamaChatTemplateRealModel, ArgumentsFollowTheToolsOwnSchemas) {
  ChatInput input = ask("?");
  input.tool_choice = "required";
  std::string optional = R"({"type":"object","properties":{)";
  for (int i = 0; i < 18; ++i)
    optional += (i ? ",\"p" : "\"p") + std::to_string(i) + R"(":{"type":"integer"})";
  input.tools = OrderedJson::array(
      {tool("many_options", optional + "}}"),
       tool("ordered", R"({"type":"object","properties":{"z":{"type":"string","pattern":"^\\d+$"},
                                "a":{"type":"number","maximum":5}},"required":["z","a"]})"),
       tool("map", R"({"type":"object","additionalProperties":{"const":1}})"),
       tool("nothing", R"({"type":"object","properties":{}})"),
       tool("tree", R"({"$ref":"#/$defs/t","$defs":{"t":{"type":"object","properties":{
                        "next":{"$ref":"#/$defs/t"}}}}})")});
  const LanguageModel& model = real_model();
  const std::string text = model.chat_template().render(input).text;
  EXPECT_NE(text.find("maximum"), std::string::npos) << text;  // the prompt shows them as they are
  EXPECT_LT(text.find("\"z\""), text.find("\"a\""));
  const std::pair<std::string, std::string> good[] = {{"many_options", "{}"},
                                                      {"many_options", R"({"p0": 1, "p17": 2})"},
                                                      {"ordered", R"({"z": "12", "a": 4.5})"},
                                                      {"map", R"({"x": 1, "y": 1})"},
                                                      {"nothing", "{}"},
                                                      {"tree", R"({"next": {"next": {}}})"}};
  for (const auto& [name, arguments] : good)
    EXPECT_TRUE(reads(model, input, call(name, arguments))) << name << arguments;
  const std::pair<std::string, std::string> bad[] = {{"many_options", R"({"p17": 1, "p0": 2})"},
                                                     {"many_options", R"({"z": "12", "a": 4})"},
                                                     {"ordered", R"({"a": 4.5, "z": "12"})"},
                                                     {"ordered", R"({"z": "x", "a": 4})"},
                                                     {"ordered", R"({"z": "1", "a": 6})"},
                                                     {"map", R"({"x": 2})"},
                                                     {"nothing", R"({"x": 1})"},
                                                     {"tree", R"({"next": 1})"},
                                                     {"other", "{}"}};
  for (const auto& [name, arguments] : bad)
    EXPECT_FALSE(reads(model, input, call(name, arguments))) << name << arguments;
  input.tools = OrderedJson::array({tool("a_b", "{}"), tool("a-b", "{}")});
  EXPECT_EQ(refused_field(input), "tools");
}

// Qwen3-Coder's way: each argument in its own tags.
TEST(LlamaChatTemplateRealModel, ArgumentsBetweenTagsFollowTheirSchemasToo) {
  const auto model = load_language_model(
      {.path = real_model_path(),
       .chat_template =
           "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor "
           "%}"
           "{% if tools %}{% for tool in tools %}{{ tool | tojson }}{% endfor %}"
           "<tool_call>\n<function=name>\n<parameter=key>\nvalue\n</parameter>\n</function>\n"
           "</tool_call>{% endif %}"
           "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"});
  ChatInput input = ask("?");
  input.tool_choice = "required";
  input.tools = OrderedJson::array(
      {tool("f", R"({"type":"object","properties":{"n":{"type":"integer","minimum":3,"maximum":5},
              "s":{"type":"string"}},"required":["n"]})")});
  const auto tagged = [](const std::string& n) {
    return "<tool_call>\n<function=f>\n<parameter=n>\n" + n +
           "\n</parameter>\n</function>\n</tool_call>";
  };
  const std::string gbnf = model->chat_template().render(input).grammar.gbnf;
  ASSERT_NE(gbnf.find("tool-f-arg-n-schema ::= schema-1"), std::string::npos) << gbnf;
  EXPECT_TRUE(reads(*model, input, tagged("4")));
  EXPECT_FALSE(reads(*model, input, tagged("6")));
  input.tools =
      OrderedJson::array({tool("f", R"({"type":"object","additionalProperties":{"const":1}})")});
  EXPECT_THROW(model->chat_template().render(input), Error);
}

TEST(LlamaChatTemplateRealModel, ResponseFormatsKeepTheirOrderAndTheirBounds) {
  ChatInput input = ask("?");
  input.json_schema = OrderedJson::parse(
      R"({"type":"object","properties":{"reasoning":{"type":"string"},"answer":{"minimum":1,"maximum":2}},
          "required":["answer","reasoning"]})");
  EXPECT_EQ(real_model().chat_template().render(input).text.find("polyphon-"), std::string::npos);
  EXPECT_TRUE(reads(real_model(), input, R"({"reasoning": "x", "answer": 1.5})"));
  EXPECT_FALSE(reads(real_model(), input, R"({"answer": 1.5, "reasoning": "x"})"));
  EXPECT_FALSE(reads(real_model(), input, R"({"reasoning": "x", "answer": 3})"));
}

TEST(LlamaChatTemplateRealModel, ToolResultsGoBackToTheModel) {
  ChatInput input = ask("Weather in Rome?");
  input.messages.push_back(
      OrderedJson::parse(R"({"role": "assistant", "content": null, "tool_calls": [
    {"id": "1", "type": "function", "function": {"name": "weather",
     "arguments": "{\"city\": \"Rome\"}"}}]})"));
  input.messages.push_back({{"role", "tool"}, {"tool_call_id", "1"}, {"content", "31 degrees"}});
  for (const bool with_tools : {true, false}) {
    input.tools = with_tools ? weather_tools() : OrderedJson();
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
  input.messages = OrderedJson::array();
  EXPECT_EQ(refused_field(input), "messages");
  input.messages = {{{"role", "user"}, {"content", 7}}};
  EXPECT_EQ(refused_field(input), "messages");
  input.messages = OrderedJson::parse(
      R"([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}])");
  EXPECT_EQ(refused_field(input), "messages");

  input = ask("?");
  input.tools = OrderedJson::parse(R"([{"type": "retrieval"}])");
  EXPECT_EQ(refused_field(input), "tools");
  input.tools = OrderedJson::parse("{}");
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
  for (int i = 0; i < 5000; ++i)
    input.json_schema = OrderedJson{{"items", std::move(input.json_schema)}};
  EXPECT_EQ(refused_field(input), "response_format");

  input = ask("?");
  input.grammar = "root ::= \"a\"";
  EXPECT_EQ(refused_field(input), "accepted");
  input.json_schema = OrderedJson::object();
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
