// /v1/responses: its items and its flat tools, turned into a chat.
#include <fmt/format.h>

#include "base/shown.h"
#include "server/chat_input_reader.h"
#include "server/chat_request.h"

namespace polyphon {
namespace {

// The text of an item's content: a string, or parts of input_text and output_text.
std::string read_text(const FieldReader& item, const char* key) {
  const OrderedJson* content = item.find(key);
  if (!content) item.refuse(key, "is required");
  if (content->is_string()) return content->get<std::string>();
  if (!content->is_array()) item.refuse(key, "must be a string or an array of parts");
  std::string text;
  for (size_t i = 0; i < content->size(); ++i) {
    const FieldReader part((*content)[i], fmt::format("{}[{}]", item.path(key), i));
    const auto type = part.string("type").value_or("");
    if (type != "input_text" && type != "output_text" && type != "text")
      part.refuse("type", "is '" + shown(type) + "': this server takes text only");
    const auto piece = part.string("text");
    if (!piece) part.refuse("text", "is required");
    text += *piece;
  }
  return text;
}

OrderedJson call_of(const FieldReader& item) {
  const auto id = item.string("call_id"), name = item.string("name"),
             arguments = item.string("arguments");
  if (!id) item.refuse("call_id", "is required");
  if (!name) item.refuse("name", "is required");
  if (!arguments) item.refuse("arguments", "is required");
  return {{"id", *id},
          {"type", "function"},
          {"function", {{"name", *name}, {"arguments", *arguments}}}};
}

void add_item(const FieldReader& item, OrderedJson& messages) {
  const std::string type = item.string("type").value_or("message");
  if (type == "reasoning") return;  // thoughts of earlier turns are ignored
  if (type == "function_call") {
    // Consecutive calls form one message.
    if (messages.empty() || !messages.back().contains("tool_calls"))
      messages.push_back(
          {{"role", "assistant"}, {"content", ""}, {"tool_calls", OrderedJson::array()}});
    messages.back()["tool_calls"].push_back(call_of(item));
    return;
  }
  if (type == "function_call_output") {
    const auto id = item.string("call_id");
    if (!id) item.refuse("call_id", "is required");
    messages.push_back(
        {{"role", "tool"}, {"tool_call_id", *id}, {"content", read_text(item, "output")}});
    return;
  }
  if (type != "message")
    item.refuse("type", "is '" + type +
                            "': must be message, function_call, function_call_output or reasoning");
  messages.push_back({{"role", read_role(item)}, {"content", read_text(item, "content")}});
}

OrderedJson read_items(const FieldReader& fields) {
  OrderedJson messages = OrderedJson::array();
  if (const auto instructions = fields.string("instructions"))
    messages.push_back({{"role", "system"}, {"content", *instructions}});
  const OrderedJson* input = fields.find("input");
  if (!input) fields.refuse("input", "is required");
  if (input->is_string()) {
    messages.push_back({{"role", "user"}, {"content", *input}});
    return messages;
  }
  if (!input->is_array()) fields.refuse("input", "must be a string or an array of items");
  if (input->empty()) fields.refuse("input", "must not be empty");
  for (size_t i = 0; i < input->size(); ++i)
    add_item(FieldReader((*input)[i], fmt::format("input[{}]", i)), messages);
  return messages;
}

}  // namespace

GenerationRequest read_responses_request(const OrderedJson& body, const RequestContext& context) {
  const FieldReader fields(body);
  check_model(fields, context.options);
  for (const char* kept : {"previous_response_id", "conversation", "prompt"})
    if (fields.find(kept))
      fields.refuse(kept,
                    "is not available: this server does not store responses, send the whole input");
  if (fields.boolean("background").value_or(false))
    fields.refuse("background", "is not available: this server does not store responses");
  if (fields.find("top_logprobs"))
    fields.refuse("top_logprobs", "is not available here: use /v1/chat/completions");
  ChatInput chat;
  chat.messages = read_items(fields);
  read_tools(fields, true, chat);
  if (const OrderedJson* kwargs = fields.object("chat_template_kwargs"))
    chat.template_kwargs = *kwargs;
  if (const OrderedJson* text = fields.object("text"))
    chat.json_schema = read_response_format(FieldReader(*text, "text"), "format");
  return read_chat_generation(fields, std::move(chat), context);
}

}  // namespace polyphon
