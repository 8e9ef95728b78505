#include "model/schema_placeholders.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "base/error.h"
#include "grammar/json_pointer.h"
#include "grammar/schema_merge.h"

namespace polyphon {
namespace {

constexpr int64_t kFirstNumber = 770'000'000'000'000;
const std::string kMarker = "polyphon-arguments";

// As llama.cpp makes names of rules.
std::string rule_name(const std::string& text) {
  std::string name;
  for (const char c : text) {
    const bool kept = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-';
    if (kept)
      name += c;
    else if (!name.ends_with('-') || name.empty())
      name += '-';
  }
  return name;
}

// Only what placeholders can stand for argument by argument: named properties, no other constraint.
bool is_plain(const OrderedJson& parameters) {
  const auto additional = parameters.find("additionalProperties");
  return std::all_of(parameters.items().begin(), parameters.items().end(),
                     [](const auto& item) {
                       return item.key() == "type" || item.key() == "properties" ||
                              item.key() == "required" || item.key() == "additionalProperties" ||
                              is_annotation(item.key());
                     }) &&
         (additional == parameters.end() || additional->is_boolean());
}

bool has_properties(const OrderedJson& parameters) {
  const auto properties = parameters.find("properties");
  return properties != parameters.end() && properties->is_object() && !properties->empty();
}

// The rules of a grammar that llama.cpp has written: one a line.
using Rules = std::map<std::string, std::string>;

Rules split(const std::string& gbnf) {
  Rules rules;
  for (size_t begin = 0; begin < gbnf.size();) {
    const size_t end = std::min(gbnf.find('\n', begin), gbnf.size());
    const size_t mark = gbnf.find(" ::= ", begin);
    if (mark < end) rules[gbnf.substr(begin, mark - begin)] = gbnf.substr(mark + 5, end - mark - 5);
    begin = end + 1;
  }
  return rules;
}

std::set<std::string> reachable(const Rules& rules, const std::string& from) {
  std::set<std::string> found{from};
  std::vector<std::string> waiting{from};
  while (!waiting.empty()) {
    const std::string body = rules.at(waiting.back());
    waiting.pop_back();
    for (size_t i = 0; i < body.size(); ++i) {
      size_t end = i;
      while (end < body.size() &&
             (std::isalnum(static_cast<unsigned char>(body[end])) != 0 || body[end] == '-'))
        ++end;
      const std::string name = body.substr(i, end - i);
      if (end > i && rules.contains(name) && found.insert(name).second) waiting.push_back(name);
      if (end > i) i = end;
    }
  }
  return found;
}

bool is_numbered(const std::string& name, const std::string& stem) {
  return name.starts_with(stem) &&
         name.find_first_not_of("0123456789", stem.size()) == std::string::npos;
}

}  // namespace

// A schema of constants. One of them no one else writes: its text is `literal`. Where the value may
// be a string, the others show of which types it may be besides: llama.cpp reads text between tags
// by that.
OrderedJson SchemaPlaceholders::stand_in(const OrderedJson& schema, const OrderedJson& document,
                                         std::string& literal) {
  const int64_t number = kFirstNumber + constants_++;
  if (!may_be_string(schema, document)) {
    literal = std::to_string(number);
    return {{"const", number}};
  }
  literal = fmt::format("polyphon-{}", number);
  static const std::map<std::string, OrderedJson> kOthers = {{"null", nullptr},
                                                             {"boolean", true},
                                                             {"number", 0.5},
                                                             {"integer", 0},
                                                             {"array", OrderedJson::array()},
                                                             {"object", OrderedJson::object()}};
  OrderedJson values = {literal};
  const auto type = schema.is_object() ? schema.find("type") : schema.end();
  for (const auto& [name, value] : kOthers) {
    const bool any = !schema.is_object() || type == schema.end();
    if (any || (type->is_array() && std::find(type->begin(), type->end(), name) != type->end()))
      values.push_back(value);
  }
  return {{"enum", values}};
}

OrderedJson SchemaPlaceholders::response_format(const OrderedJson& schema) {
  format_ = response_schema(schema);
  return stand_in({{"type", "string"}}, format_, format_literal_);
}

OrderedJson SchemaPlaceholders::tools(const OrderedJson& tools) {
  OrderedJson result = tools;
  if (!tools.is_array()) return result;
  std::map<std::string, std::string> names;  // of tools, by the rules' names
  for (size_t i = 0; i < tools.size(); ++i) {
    const auto function = tools[i].is_object() ? tools[i].find("function") : tools[i].end();
    if (!tools[i].is_object() || function == tools[i].end() || !function->is_object() ||
        !function->contains("parameters") || !(*function)["parameters"].is_object() ||
        !function->contains("name") || !(*function)["name"].is_string())
      continue;  // llama.cpp says what is wrong, or nothing is asked for
    const OrderedJson& parameters = (*function)["parameters"];
    const auto name = (*function)["name"].get<std::string>();
    const auto [same, added] = names.emplace(rule_name(name), name);
    if (!added)  // llama.cpp would give both the same rules
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("tools: '{}' and '{}' differ in punctuation only: rename one",
                              same->second, name),
                  "tools");
    Tool& tool = tools_.emplace_back();
    tool.rule = rule_name("tool-" + name + "-schema");
    tool.parameters = &parameters;
    tool.has_marker = !has_properties(parameters);
    OrderedJson arguments = {{"type", "object"}, {"properties", OrderedJson::object()}};
    if (tool.has_marker) {
      if (is_plain(parameters) && parameters.contains("properties")) {
        tools_.pop_back();  // no arguments: {}
        result[i]["function"]["parameters"] = arguments;
        continue;
      }
      arguments["properties"][kMarker] =
          stand_in({{"type", "string"}}, parameters, tool.properties.emplace_back().literal);
      arguments["required"] = {kMarker};
    } else {
      for (const auto& [key, schema] : parameters["properties"].items()) {
        Property& property = tool.properties.emplace_back();
        property.reference = "#/properties/" + json_pointer_segment(key);
        arguments["properties"][key] = stand_in(schema, parameters, property.literal);
      }
      if (parameters.contains("required")) arguments["required"] = parameters["required"];
    }
    result[i]["function"]["parameters"] = std::move(arguments);
  }
  return result;
}

std::string SchemaPlaceholders::replace(const std::string& gbnf) {
  Rules rules = split(gbnf);
  SchemaConverter converter("schema-");
  const auto holder = [&](const std::string& literal) {  // the rule that holds a placeholder
    return std::find_if(rules.begin(), rules.end(), [&](const auto& rule) {
      return rule.second.find(literal) != std::string::npos;
    });
  };
  if (!format_literal_.empty())
    if (const auto rule = holder(format_literal_); rule != rules.end())
      rule->second = converter.add(format_, "response_format");
  for (const Tool& tool : tools_) {
    const auto first = holder(tool.properties.front().literal);
    const auto whole = std::find_if(rules.begin(), rules.end(), [&](const auto& rule) {
      return first != rules.end() && is_numbered(rule.first, tool.rule) &&
             reachable(rules, rule.first).contains(first->first);
    });
    if (whole != rules.end()) {
      whole->second = converter.add(*tool.parameters, "tools");
      continue;
    }
    if (tool.has_marker || !is_plain(*tool.parameters))
      throw Error(ErrorCode::kInvalidArgument,
                  "tools: this model writes each argument by itself, so that parameters can only "
                  "hold properties and required",
                  "tools");
    for (const Property& property : tool.properties) {
      const auto rule = holder(property.literal);
      if (rule == rules.end()) continue;  // a string between tags
      rule->second = converter.add(*tool.parameters, "tools", property.reference);
    }
  }
  std::string result;
  for (const auto& [name, body] : rules) result += name + " ::= " + body + "\n";
  return result + converter.rules();
}

}  // namespace polyphon
