// Messages, response_format and tools of a chat body.
#include "server/chat_input_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/shown.h"
#include "grammar/json_schema.h"

namespace polyphon {
namespace {

const std::set<std::string> kRoles = {"system", "developer", "user", "assistant", "tool"};

void check_content(const FieldReader& message, const OrderedJson& content) {
  if (content.is_string()) return;
  if (!content.is_array()) message.refuse("content", "must be a string or an array of parts");
  for (size_t i = 0; i < content.size(); ++i) {
    const FieldReader part(content[i], fmt::format("{}[{}]", message.path("content"), i));
    const auto type = part.string("type").value_or("");
    if (type != "text")
      part.refuse("type", "is '" + shown(type) + "': this server takes text only");
    if (!part.string("text")) part.refuse("text", "is required");
  }
}

void check_calls(const FieldReader& message, const OrderedJson& calls) {
  for (size_t i = 0; i < calls.size(); ++i) {
    const FieldReader call(calls[i], fmt::format("{}[{}]", message.path("tool_calls"), i));
    call.string("id");
    const OrderedJson* function = call.object("function");
    if (!function) call.refuse("function", "is required");
    const FieldReader reader(*function, call.path("function"));
    if (!reader.string("name")) reader.refuse("name", "is required");
    if (!reader.string("arguments")) reader.refuse("arguments", "is required");
  }
}

bool is_function_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
  });
}

// The one tool that a tool_choice object names.
OrderedJson named_tool(const FieldReader& fields, const OrderedJson& tools) {
  const FieldReader choice(*fields.find("tool_choice"), "tool_choice");
  if (choice.string("type").value_or("function") != "function")
    choice.refuse("type", "must be 'function'");
  const OrderedJson* function = choice.object("function");
  const auto name = function ? FieldReader(*function, "tool_choice.function").string("name")
                             : choice.string("name");
  if (!name) choice.refuse("function", "must hold a name");
  for (const OrderedJson& tool : tools)
    if (tool.at("function").at("name") == *name) return OrderedJson::array({tool});
  choice.refuse("function", "names '" + shown(*name) + "', which is not among the tools");
}

void check_tool(const FieldReader& function, std::set<std::string>& names) {
  const std::string name = function.string("name").value_or("");
  if (!is_function_name(name))
    function.refuse("name", "must be 1 to 64 letters, digits, '_', '-' or '.'");
  if (!names.insert(name).second) function.refuse("name", "is '" + shown(name) + "' a second time");
  function.string("description");
  if (const OrderedJson* parameters = function.object("parameters"))
    SchemaConverter("").add(*parameters, function.path("parameters"));  // for its error
}

}  // namespace

std::string read_role(const FieldReader& message) {
  const auto role = message.string("role");
  if (!role) message.refuse("role", "is required");
  if (!kRoles.contains(*role))
    message.refuse("role",
                   "is '" + shown(*role) + "': must be system, developer, user, assistant or tool");
  return *role;
}

OrderedJson read_messages(const FieldReader& fields) {
  const OrderedJson* messages = fields.array("messages");
  if (!messages) fields.refuse("messages", "is required");
  if (messages->empty()) fields.refuse("messages", "must not be empty");
  for (size_t i = 0; i < messages->size(); ++i) {
    const FieldReader message((*messages)[i], fmt::format("{}[{}]", fields.path("messages"), i));
    read_role(message);
    message.string("name");
    message.string("tool_call_id");
    const OrderedJson* calls = message.array("tool_calls");
    if (calls) check_calls(message, *calls);
    const OrderedJson* content = message.find("content");
    if (content)
      check_content(message, *content);
    else if (!calls)
      message.refuse("content", "is required");
  }
  return *messages;
}

OrderedJson read_response_format(const FieldReader& fields, const char* key) {
  const OrderedJson* format = fields.object(key);
  if (!format) return nullptr;
  const FieldReader reader(*format, fields.path(key));
  const std::string type = reader.string("type").value_or("");
  if (type == "text") return nullptr;
  if (type == "json_object") {
    const OrderedJson* schema = reader.object("schema");
    return schema ? *schema : OrderedJson::object();
  }
  if (type != "json_schema")
    reader.refuse("type", "is '" + shown(type) + "': must be text, json_object or json_schema");
  const OrderedJson* wrapped = reader.object("json_schema");
  const OrderedJson* schema =
      wrapped ? FieldReader(*wrapped, reader.path("json_schema")).object("schema")
              : reader.object("schema");
  if (!schema) reader.refuse("json_schema", "must hold a schema object");
  return *schema;
}

void read_tools(const FieldReader& fields, bool flat, ChatInput& chat) {
  for (const char* old : {"functions", "function_call"})
    if (fields.find(old)) fields.refuse(old, "is no longer in use: send tools and tool_choice");
  chat.parallel_tool_calls = fields.boolean("parallel_tool_calls").value_or(false);
  const OrderedJson* tools = fields.array("tools");
  std::set<std::string> names;
  OrderedJson nested = OrderedJson::array();
  for (size_t i = 0; tools && i < tools->size(); ++i) {
    const FieldReader tool((*tools)[i], fmt::format("tools[{}]", i));
    if (tool.string("type").value_or("function") != "function")
      tool.refuse("type", "must be 'function'");
    const OrderedJson* function = flat ? &(*tools)[i] : tool.object("function");
    if (!function) tool.refuse("function", "is required");
    check_tool(flat ? tool : FieldReader(*function, tool.path("function")), names);
    nested.push_back({{"type", "function"}, {"function", *function}});
    if (flat) nested.back()["function"].erase("type");
  }
  if (!names.empty()) chat.tools = std::move(nested);

  const OrderedJson* choice = fields.find("tool_choice");
  if (!choice) return;
  if (choice->is_object()) {
    chat.tools = named_tool(fields, chat.tools);
    chat.tool_choice = "required";
    return;
  }
  chat.tool_choice = *fields.string("tool_choice");
  if (chat.tool_choice != "auto" && chat.tool_choice != "none" && chat.tool_choice != "required")
    fields.refuse("tool_choice", "is '" + shown(chat.tool_choice) +
                                     "': must be auto, none, required or a function");
  if (chat.tool_choice == "required" && names.empty())
    fields.refuse("tool_choice", "is 'required', but there are no tools");
}

ChatInput read_chat_input(const FieldReader& fields) {
  ChatInput chat;
  chat.messages = read_messages(fields);
  chat.json_schema = read_response_format(fields, "response_format");
  read_tools(fields, false, chat);
  if (const OrderedJson* kwargs = fields.object("chat_template_kwargs"))
    chat.template_kwargs = *kwargs;
  return chat;
}

}  // namespace polyphon
