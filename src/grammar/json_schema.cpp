#include "grammar/json_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"
#include "grammar/gbnf_text.h"
#include "grammar/number_range.h"
#include "grammar/pattern.h"
#include "grammar/schema_merge.h"
#include "grammar/value_trie.h"

namespace polyphon {
namespace {

constexpr int kMaxSchemaNesting = 100;
constexpr size_t kMaxSchemas = 200'000;
constexpr size_t kMaxGrammarText = 8 << 20;
constexpr size_t kMaxOneOf = 256;

const std::vector<std::string> kTypes = {"object",  "array",   "string", "number",
                                         "integer", "boolean", "null"};

// Which keywords belong to which type; the others belong to all.
const std::map<std::string, std::vector<std::string>> kKeywordsOfType = {
    {"object",
     {"properties", "required", "additionalProperties", "patternProperties", "propertyNames",
      "minProperties", "maxProperties", "unevaluatedProperties"}},
    {"array", {"items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems"}},
    {"string", {"pattern", "minLength", "maxLength", "format"}},
    {"number", {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}},
};
const std::set<std::string> kRefused = {"not",
                                        "if",
                                        "then",
                                        "else",
                                        "dependencies",
                                        "dependentRequired",
                                        "dependentSchemas",
                                        "contains",
                                        "minContains",
                                        "maxContains",
                                        "unevaluatedItems",
                                        "$dynamicRef",
                                        "$recursiveRef",
                                        "propertyDependencies"};

// Formats of strings, as patterns.
const std::map<std::string, std::string> kFormats = [] {
  const std::string date =
      R"(\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8])))";
  const std::string time =
      R"((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d))";
  const std::string byte = R"((?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d))";
  const std::string label = R"([A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)";
  const std::string hex = "[0-9A-Fa-f]{1,4}";
  const std::string atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
  std::map<std::string, std::string> formats = {
      {"date", date},
      {"time", time},
      {"date-time", date + "T" + time},
      {"duration",
       R"(P(?:\d+W|(?:\d+Y(?:\d+M(?:\d+D)?)?|\d+M(?:\d+D)?|\d+D)(?:T(?:\d+H(?:\d+M(?:\d+S)?)?|\d+M(?:\d+S)?|\d+S))?|T(?:\d+H(?:\d+M(?:\d+S)?)?|\d+M(?:\d+S)?|\d+S)))"},
      {"email", atom + "(?:\\." + atom + ")*@" + label + "(?:\\." + label + ")+"},
      {"hostname", label + "(?:\\." + label + ")*"},
      {"ipv4", byte + "(?:\\." + byte + "){3}"},
      {"ipv6",
       fmt::format("(?:{0}(?::{0}){{7}}|(?:{0}(?::{0}){{0,3}})?::(?:{0}(?::{0}){{0,2}})?)", hex)},
      {"uuid", "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"},
      {"uri", R"([A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]+)"}};
  for (auto& [name, pattern] : formats) pattern = "^" + pattern + "$";
  return formats;
}();
// They say how a program stores the value, not how JSON writes it (OpenAPI).
const std::set<std::string> kStorageFormats = {"int32", "int64",  "float",   "double",
                                               "byte",  "binary", "password"};

// Rules that any schema may need, by name; "%" stands for the prefix.
const std::map<std::string, std::string> kCommonRules = {
    {"space", R"(| " " | "\n"{1,2} [ \t]{0,20})"},
    {"char",
     R"([^"\\\x00-\x1F] | "\\" (["\\/bfnrt] | "u" ([0-9a-cA-CefEF] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2})))"},
    {"string", R"("\"" %char* "\"")"},
    {"whole", R"("0" | [1-9] [0-9]{0,15})"},
    {"integer", R"("-"? %whole)"},
    {"number", R"("-"? %whole ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,2})?)"},
    {"boolean", R"("true" | "false")"},
    {"null", R"("null")"},
    {"value", "%object | %array | %string | %number | %boolean | %null"},
    {"object",
     R"("{" %space (%string %space ":" %space %value (%space "," %space %string %space ":" %space %value)*)? %space "}")"},
    {"array", R"("[" %space (%value (%space "," %space %value)*)? %space "]")"},
};

// Where in the document, as a JSON pointer in a URI fragment: "#/properties/a".
std::string child(const std::string& place, const std::string& key) {
  return place + "/" + json_pointer_segment(key);
}
std::string child(const std::string& place, size_t index) {
  return place + "/" + std::to_string(index);
}

std::string unescaped(std::string_view segment) {
  std::string result;
  for (size_t i = 0; i < segment.size(); ++i) {
    const auto hex = [&](size_t at) {
      return at < segment.size() && std::isxdigit(static_cast<unsigned char>(segment[at])) != 0;
    };
    if (segment[i] == '%' && hex(i + 1) && hex(i + 2)) {
      result += static_cast<char>(std::stoi(std::string(segment.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else if (segment[i] == '~' && i + 1 < segment.size()) {
      result += segment[++i] == '1' ? '/' : '~';
    } else {
      result += segment[i];
    }
  }
  return result;
}

// The part of the document, or null. `reference` begins with '#'.
const OrderedJson* at_reference(const OrderedJson& document, std::string_view reference) {
  const OrderedJson* at = &document;
  reference.remove_prefix(1);
  while (!reference.empty()) {
    if (reference.front() != '/') return nullptr;
    reference.remove_prefix(1);
    const std::string key = unescaped(reference.substr(0, reference.find('/')));
    reference.remove_prefix(std::min(reference.find('/'), reference.size()));
    if (at->is_object()) {
      const auto found = at->find(key);
      if (found == at->end()) return nullptr;
      at = &*found;
    } else if (at->is_array() && !key.empty() &&
               key.find_first_not_of("0123456789") == std::string::npos && key.size() < 8 &&
               std::stoul(key) < at->size()) {
      at = &(*at)[std::stoul(key)];
    } else {
      return nullptr;
    }
  }
  return at;
}

bool constrains(const std::string& keyword) { return !is_annotation(keyword); }

bool has_constraints_beside(const OrderedJson& schema, const char* keyword) {
  return std::any_of(schema.items().begin(), schema.items().end(), [&](const auto& item) {
    return item.key() != keyword && constrains(item.key());
  });
}

OrderedJson without(const OrderedJson& schema, const char* keyword) {
  OrderedJson rest = schema;
  rest.erase(keyword);
  return rest;
}

// A long place without its middle.
std::string cut(const std::string& place) {
  constexpr size_t kMost = 160;
  if (place.size() <= kMost) return place;
  return sanitize_utf8(place.substr(0, kMost / 2) + "..." + place.substr(place.size() - kMost / 2));
}

std::string shown(const OrderedJson& value) {
  std::string text = value.dump(-1, ' ', true);
  if (text.size() > 60) text = text.substr(0, 60) + "...";
  return text;
}

const char* type_of(const OrderedJson& value) {
  switch (value.type()) {
    case OrderedJson::value_t::object:
      return "object";
    case OrderedJson::value_t::array:
      return "array";
    case OrderedJson::value_t::string:
      return "string";
    case OrderedJson::value_t::boolean:
      return "boolean";
    case OrderedJson::value_t::number_float:
      return "number";
    case OrderedJson::value_t::null:
      return "null";
    default:
      return "integer";
  }
}

bool is_of_type(const OrderedJson& value, const std::string& type) {
  if (type == type_of(value)) return true;
  if (type == "number") return value.is_number();
  return type == "integer" && value.is_number_float() &&
         std::floor(value.get<double>()) == value.get<double>();
}

size_t characters(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

}  // namespace

class SchemaConverter::Impl {
 public:
  explicit Impl(std::string prefix) : prefix_(std::move(prefix)) {}

  std::string add(const OrderedJson& schema, const std::string& field,
                  const std::string& reference) {
    document_ = &schema;
    field_ = field;
    references_.clear();
    const std::string root = convert(by_reference(reference), reference, 0);
    // Schemas that are referred to become rules of their own, so that they may refer to themselves.
    while (!waiting_.empty()) {
      const auto [reference, name] = waiting_.front();
      waiting_.pop_front();
      define(name, convert(*at_reference(schema, reference), reference, 0));
    }
    return root;
  }

  const std::string& rules() const { return rules_; }

 private:
  [[noreturn]] void refuse(const std::string& place, const std::string& why) const {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("{}: {} {}", field_, cut(place), why),
                field_);
  }

  // --- rules

  std::string fresh_name() { return fmt::format("{}{}", prefix_, ++names_); }
  void define(const std::string& name, const std::string& body) {
    rules_ += name + " ::= " + body + "\n";
    if (rules_.size() > kMaxGrammarText)
      refuse("#", fmt::format("makes a grammar of more than {} bytes: simplify the schema",
                              kMaxGrammarText));
  }
  std::string rule(const std::string& body) {
    const std::string name = fresh_name();
    define(name, body);
    return name;
  }
  AddRule adder() {
    return [this](const std::string& body) { return rule(body); };
  }
  std::string common(const std::string& name) {
    if (common_.insert(name).second) {
      std::string body;
      const std::string& text = kCommonRules.at(name);
      for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
          body += text[i];
          continue;
        }
        const size_t end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz", i + 1);
        body += common(text.substr(i + 1, end - i - 1));
        i = std::min(end, text.size()) - 1;
      }
      define(prefix_ + name, body);
    }
    return prefix_ + name;
  }

  // --- any schema

  // An expression that reads a value of the schema.
  std::string convert(const OrderedJson& schema, const std::string& place, int depth) {
    if (++schemas_ > kMaxSchemas) refuse(place, "makes the schema too large");
    if (depth > kMaxSchemaNesting)
      refuse(place, fmt::format("nests deeper than {} levels", kMaxSchemaNesting));
    if (schema == true) return common("value");
    if (schema == false) throw SchemaContradiction("it is false");
    if (!schema.is_object())
      refuse(place, "must be a schema: an object, true or false, not " + shown(schema));
    check_keywords(schema, place);
    if (schema.contains("$ref")) return convert_reference(schema, place, depth);
    if (schema.contains("allOf")) return convert_all_of(schema, place, depth);
    for (const char* keyword : {"anyOf", "oneOf"})
      if (schema.contains(keyword)) return convert_any_of(schema, keyword, place, depth);
    if (schema.value("nullable", false) == true)
      return rule(
          gbnf_choice({convert(without(schema, "nullable"), place, depth + 1), common("null")}));
    if (schema.contains("const") || schema.contains("enum")) return convert_values(schema, place);
    return convert_types(schema, place, depth);
  }

  void check_keywords(const OrderedJson& schema, const std::string& place) const {
    for (const auto& [keyword, value] : schema.items())
      if (kRefused.contains(keyword))
        refuse(child(place, keyword), "is not supported: state the constraint in another way");
    for (const char* keyword : {"allOf", "anyOf", "oneOf", "enum"}) {
      const auto found = schema.find(keyword);
      if (found != schema.end() && (!found->is_array() || found->empty()))
        refuse(child(place, keyword), "must be an array with at least one entry");
    }
    const auto reference = schema.find("$ref");
    if (reference != schema.end() && !reference->is_string())
      refuse(child(place, "$ref"), "must be a string");
  }

  const OrderedJson& by_reference(const std::string& reference) const {
    if (!reference.starts_with("#"))
      refuse("$ref",
             fmt::format("'{}' leads out of the schema: only '#/...' is followed", reference));
    const OrderedJson* target = at_reference(*document_, reference);
    if (!target) refuse("$ref", fmt::format("'{}' leads to nothing in the schema", reference));
    return *target;
  }
  SchemaByReference lookup() const {
    return [this](const std::string& reference) -> const OrderedJson& {
      return by_reference(reference);
    };
  }

  OrderedJson merge(const OrderedJson& a, const OrderedJson& b, const std::string& place) const {
    try {
      return merge_schemas(a, b, lookup());
    } catch (const Error& error) {
      if (!error.field().empty()) throw;  // ours, from by_reference
      refuse(place, error.what());
    }
  }

  std::string convert_reference(const OrderedJson& schema, const std::string& place, int depth) {
    if (has_constraints_beside(schema, "$ref"))
      return convert(merge(schema, true_schema_without_ref(schema), place), place, depth + 1);
    const auto reference = schema.at("$ref").get<std::string>();
    const OrderedJson* target = &by_reference(reference);
    std::set<const OrderedJson*> passed{&schema};
    while (target->is_object() && target->contains("$ref") &&
           !has_constraints_beside(*target, "$ref")) {
      if (!passed.insert(target).second || !target->at("$ref").is_string())
        refuse(place, fmt::format("refers to '{}', which refers to itself", reference));
      target = &by_reference(target->at("$ref").get<std::string>());
    }
    const auto [found, added] = references_.try_emplace(reference);
    if (added) {
      found->second = fresh_name();
      waiting_.emplace_back(reference, found->second);
    }
    return found->second;
  }

  // merge() follows the reference of its first schema; the rest comes from there.
  static OrderedJson true_schema_without_ref(const OrderedJson&) { return OrderedJson::object(); }

  std::string convert_all_of(const OrderedJson& schema, const std::string& place, int depth) {
    OrderedJson whole = without(schema, "allOf");
    for (const OrderedJson& part : schema.at("allOf")) whole = merge(whole, part, place);
    return convert(whole, place, depth + 1);
  }

  // Alternatives that contradict what stands beside them are left out.
  std::string convert_any_of(const OrderedJson& schema, const char* keyword,
                             const std::string& place, int depth) {
    const OrderedJson rest = without(schema, keyword);
    const bool alone = !has_constraints_beside(schema, keyword);
    const OrderedJson& all = schema.at(keyword);
    if (std::string_view(keyword) == "oneOf") check_disjoint(all, child(place, keyword));
    std::vector<std::string> alternatives;
    std::string why;
    for (size_t i = 0; i < all.size(); ++i) {
      const std::string where = child(child(place, keyword), i);
      try {
        alternatives.push_back(
            convert(alone ? all[i] : merge(rest, all[i], where), where, depth + 1));
      } catch (const SchemaContradiction& error) {
        why = error.what();
      }
    }
    if (alternatives.empty()) throw SchemaContradiction(why);
    return rule(gbnf_choice(alternatives));
  }

  // oneOf means exactly one. A grammar can only say at least one, so no value may fit two.
  void check_disjoint(const OrderedJson& all, const std::string& place) const {
    if (all.size() > kMaxOneOf)
      refuse(place,
             fmt::format("has {} alternatives: at most {}; use anyOf", all.size(), kMaxOneOf));
    for (size_t i = 0; i < all.size(); ++i)
      for (size_t j = 0; j < i; ++j)
        if (!disjoint(all[i], all[j], 0))
          refuse(
              place,
              fmt::format("has alternatives {} and {} that one value could fit: use anyOf", j, i));
  }

  const OrderedJson& followed(const OrderedJson& schema) const {
    const OrderedJson* at = &schema;
    for (int i = 0; i < kMaxSchemaNesting; ++i) {
      if (!at->is_object() || !at->contains("$ref") || !at->at("$ref").is_string()) break;
      at = &by_reference(at->at("$ref").get<std::string>());
    }
    return *at;
  }

  bool disjoint(const OrderedJson& a, const OrderedJson& b, int depth) const {
    const OrderedJson &x = followed(a), &y = followed(b);
    if (x == false || y == false) return true;
    if (!x.is_object() || !y.is_object() || depth > 4) return false;
    try {
      merge_schemas(x, y, lookup());
    } catch (const SchemaContradiction&) {
      return true;
    } catch (const Error&) {
      return false;
    }
    const std::vector<std::string> x_types = types_of(x), y_types = types_of(y);
    const auto kind = [](const std::string& type) { return type == "integer" ? "number" : type; };
    const bool share = std::any_of(x_types.begin(), x_types.end(), [&](const auto& mine) {
      return std::any_of(y_types.begin(), y_types.end(),
                         [&](const auto& yours) { return kind(mine) == kind(yours); });
    });
    if (!share) return true;
    // Objects that differ in a property which both must have.
    const auto object_only = [](const auto& types) {
      return types.size() == 1 && types[0] == "object";
    };
    if (!object_only(x_types) || !object_only(y_types)) return false;
    const auto members = [](const OrderedJson& schema, const char* key) {
      const auto found = schema.find(key);
      return found == schema.end() ? OrderedJson() : *found;
    };
    const OrderedJson x_required = members(x, "required"), y_required = members(y, "required");
    for (const OrderedJson& name : x_required.is_array() ? x_required : OrderedJson::array()) {
      if (!name.is_string() || !y_required.is_array() ||
          std::find(y_required.begin(), y_required.end(), name) == y_required.end())
        continue;
      const OrderedJson xs = members(x, "properties"), ys = members(y, "properties");
      if (xs.is_object() && ys.is_object() && xs.contains(name.get<std::string>()) &&
          ys.contains(name.get<std::string>()) &&
          disjoint(xs.at(name.get<std::string>()), ys.at(name.get<std::string>()), depth + 1))
        return true;
    }
    return false;
  }

  // --- const and enum

  std::string convert_values(const OrderedJson& schema, const std::string& place) {
    const OrderedJson values =
        schema.contains("const") ? OrderedJson::array({schema.at("const")}) : schema.at("enum");
    std::vector<std::string> texts;
    for (const OrderedJson& value : values)
      if (fits(value, schema, place)) texts.push_back(value.dump());
    if (texts.empty()) throw SchemaContradiction("none of its values fits its other keywords");
    return any_of_gbnf(std::move(texts), adder());
  }

  // Whether a value of enum fits the keywords beside it.
  bool fits(const OrderedJson& value, const OrderedJson& schema, const std::string& place) const {
    const bool both = schema.contains("const") && schema.contains("enum");
    if (both &&
        std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end())
      return false;
    if (schema.contains("type")) {
      const std::vector<std::string> types = types_of(schema);
      if (std::none_of(types.begin(), types.end(),
                       [&](const auto& type) { return is_of_type(value, type); }))
        return false;
    }
    for (const auto& [keyword, limit] : schema.items()) {
      if (keyword == "minLength" || keyword == "maxLength") {
        if (!value.is_string()) continue;
        const auto size = static_cast<double>(characters(value.get<std::string>()));
        if (!limit.is_number()) refuse(child(place, keyword), "must be a number");
        if (keyword == "minLength" ? size < limit.get<double>() : size > limit.get<double>())
          return false;
      } else if (keyword == "minimum" || keyword == "maximum" || keyword == "exclusiveMinimum" ||
                 keyword == "exclusiveMaximum") {
        if (!value.is_number()) continue;
        if (!limit.is_number()) refuse(child(place, keyword), "must be a number");
        const double x = value.get<double>(), y = limit.get<double>();
        if (keyword == "minimum"            ? x < y
            : keyword == "maximum"          ? x > y
            : keyword == "exclusiveMinimum" ? x <= y
                                            : x >= y)
          return false;
      } else if (value.is_string()
                     ? keyword == "pattern" || keyword == "format"
                     : value.is_structured() && keyword != "type" && keyword != "enum" &&
                           keyword != "const" && constrains(keyword)) {
        refuse(child(place, keyword), "is not supported beside enum or const");
      }
    }
    return true;
  }

  // --- types

  // As given, or as the keywords suggest; all types where nothing is said.
  std::vector<std::string> types_of(const OrderedJson& schema) const {
    std::vector<std::string> types;
    const auto given = schema.find("type");
    if (given != schema.end()) {
      for (const OrderedJson& type : given->is_array() ? *given : OrderedJson::array({*given}))
        if (type.is_string()) types.push_back(type.get<std::string>());
      return types;
    }
    if (schema.contains("const")) return {type_of(schema["const"])};
    if (schema.contains("enum") && schema["enum"].is_array()) {
      for (const OrderedJson& value : schema["enum"]) types.emplace_back(type_of(value));
      return types;
    }
    for (const auto& [type, keywords] : kKeywordsOfType)
      if (std::any_of(keywords.begin(), keywords.end(),
                      [&](const auto& keyword) { return schema.contains(keyword); }))
        types.push_back(type);
    return types.empty() ? kTypes : types;
  }

  std::string convert_types(const OrderedJson& schema, const std::string& place, int depth) {
    const auto given = schema.find("type");
    if (given != schema.end()) {
      const OrderedJson types = given->is_array() ? *given : OrderedJson::array({*given});
      if (types.empty()) refuse(child(place, "type"), "must not be empty");
      for (const OrderedJson& type : types)
        if (!type.is_string() ||
            std::find(kTypes.begin(), kTypes.end(), type.get<std::string>()) == kTypes.end())
          refuse(child(place, "type"),
                 fmt::format("is {}: must be object, array, string, number, integer, boolean or "
                             "null",
                             shown(type)));
    }
    const std::vector<std::string> types = types_of(schema);
    if (types == kTypes) return common("value");
    std::vector<std::string> alternatives;
    std::string why;
    for (const std::string& type : types) {
      try {
        alternatives.push_back(convert_type(type, schema, place, depth));
      } catch (const SchemaContradiction& error) {
        why = error.what();
      }
    }
    if (alternatives.empty()) throw SchemaContradiction(why);
    return alternatives.size() == 1 ? alternatives[0] : rule(gbnf_choice(alternatives));
  }

  std::string convert_type(const std::string& type, const OrderedJson& schema,
                           const std::string& place, int depth) {
    if (type == "object") return convert_object(schema, place, depth);
    if (type == "array") return convert_array(schema, place, depth);
    if (type == "string") return convert_string(schema, place);
    if (type == "number" || type == "integer") return convert_number(type, schema, place);
    return common(type);
  }

  std::optional<uint64_t> count(const OrderedJson& schema, const char* keyword,
                                const std::string& place) const {
    const auto found = schema.find(keyword);
    if (found == schema.end()) return std::nullopt;
    const bool whole =
        found->is_number_unsigned() || (found->is_number_integer() && found->get<int64_t>() >= 0) ||
        (found->is_number_float() && found->get<double>() >= 0 && found->get<double>() < 1e15 &&
         std::floor(found->get<double>()) == found->get<double>());
    if (!whole)
      refuse(child(place, keyword), "must be a whole number from 0, not " + shown(*found));
    return found->is_number_float() ? static_cast<uint64_t>(found->get<double>())
                                    : found->get<uint64_t>();
  }

  LengthBounds bounds(const OrderedJson& schema, const char* least, const char* most,
                      const std::string& place) const {
    const LengthBounds result{count(schema, least, place).value_or(0), count(schema, most, place)};
    if (result.most && *result.most < result.least)
      refuse(child(place, least),
             fmt::format("is {}, above {}, which is {}", result.least, most, *result.most));
    if (result.least > 1'000'000)
      refuse(child(place, least), fmt::format("is {}: at most 1000000", result.least));
    return result;
  }

  static std::string repeated(const std::string& expression, uint64_t least,
                              std::optional<uint64_t> most) {
    if (!most || *most > 1'000'000'000) {
      if (least == 0) return fmt::format("({})*", expression);
      return fmt::format("({}){{{},}}", expression, least);
    }
    return fmt::format("({}){{{},{}}}", expression, least, *most);
  }

  // --- strings and numbers

  std::string convert_string(const OrderedJson& schema, const std::string& place) {
    const std::string inside = string_inside(schema, place);
    return inside.empty() ? common("string") : rule("\"\\\"\" " + inside + " \"\\\"\"");
  }

  // Empty where nothing is asked for.
  std::string string_inside(const OrderedJson& schema, const std::string& place) {
    const LengthBounds length = bounds(schema, "minLength", "maxLength", place);
    const auto pattern = schema.find("pattern"), format = schema.find("format");
    const bool stored = format != schema.end() && format->is_string() &&
                        kStorageFormats.contains(format->get<std::string>());
    if (format != schema.end() && !stored) {
      const auto known =
          format->is_string() ? kFormats.find(format->get<std::string>()) : kFormats.end();
      if (known == kFormats.end())
        refuse(child(place, "format"),
               fmt::format("is {}: this format is not supported", shown(*format)));
      if (pattern != schema.end())
        refuse(child(place, "pattern"), "is not supported beside format");
      return from_pattern(known->second, length, child(place, "format"));
    }
    if (pattern != schema.end()) {
      if (!pattern->is_string()) refuse(child(place, "pattern"), "must be a string");
      return from_pattern(pattern->get<std::string>(), length, child(place, "pattern"));
    }
    if (length.least == 0 && !length.most) return "";
    return repeated(common("char"), length.least, length.most);
  }

  std::string from_pattern(const std::string& pattern, const LengthBounds& length,
                           const std::string& place) {
    try {
      return pattern_gbnf(pattern, length, common("char"));
    } catch (const PatternError& error) {
      refuse(place, fmt::format("{} cannot be enforced: {}", shown(pattern), error.what()));
    }
  }

  std::optional<NumberBound> bound(const OrderedJson& schema, const char* keyword,
                                   const char* exclusive, bool low, const std::string& place) {
    std::optional<NumberBound> result;
    for (const char* key : {keyword, exclusive}) {
      const auto found = schema.find(key);
      if (found == schema.end()) continue;
      if (found->is_boolean() && key == exclusive) {  // as before draft 6: of the other keyword
        if (result && *found == true) result->exclusive = true;
        continue;
      }
      const std::optional<Decimal> value =
          found->is_number() ? parse_decimal(found->dump()) : std::nullopt;
      if (!value) refuse(child(place, key), "must be a number, not " + shown(*found));
      const NumberBound next{*value, key == exclusive};
      const bool tighter =
          !result || (low ? less(result->value, next.value) : less(next.value, result->value)) ||
          (!less(result->value, next.value) && !less(next.value, result->value));
      if (tighter) result = next;
    }
    return result;
  }

  std::string convert_number(const std::string& type, const OrderedJson& schema,
                             const std::string& place) {
    const auto multiple = schema.find("multipleOf");
    if (multiple != schema.end() && !(type == "integer" && *multiple == 1))
      refuse(child(place, "multipleOf"), "is not supported: state the constraint in another way");
    const auto low = bound(schema, "minimum", "exclusiveMinimum", true, place);
    const auto high = bound(schema, "maximum", "exclusiveMaximum", false, place);
    if (!low && !high) return common(type);
    const std::string range =
        type == "integer" ? integer_range_gbnf(low, high) : number_range_gbnf(low, high);
    if (range.empty()) throw SchemaContradiction("no number lies between its bounds");
    return rule(range);
  }

  // --- arrays

  std::string convert_array(const OrderedJson& schema, const std::string& place, int depth) {
    const LengthBounds length = bounds(schema, "minItems", "maxItems", place);
    if (schema.value("uniqueItems", false) && length.most.value_or(2) > 1)
      refuse(child(place, "uniqueItems"), "cannot be enforced by a grammar");
    const auto items = schema.find("items");
    const bool old_tuple = items != schema.end() && items->is_array();
    const char* const tuple_key = old_tuple ? "items" : "prefixItems";
    const char* const rest_key = old_tuple ? "additionalItems" : "items";
    const auto tuple = schema.find(tuple_key), rest = schema.find(rest_key);
    std::vector<std::string> fixed;
    if (tuple != schema.end()) {
      if (!tuple->is_array()) refuse(child(place, tuple_key), "must be an array");
      for (size_t i = 0; i < tuple->size() && i < length.most.value_or(SIZE_MAX); ++i)
        fixed.push_back(convert((*tuple)[i], child(child(place, tuple_key), i), depth + 1));
    }
    // Items beyond the tuple are written only where the schema speaks of them.
    const bool open = tuple == schema.end() || rest != schema.end() || length.least > fixed.size();
    std::optional<std::string> item;
    if (open && length.most.value_or(SIZE_MAX) > fixed.size()) try {
        item = rest == schema.end() ? common("value")
                                    : convert(*rest, child(place, rest_key), depth + 1);
      } catch (const SchemaContradiction&) {
        if (length.least > fixed.size()) throw;
      }
    return rule("\"[\" " + common("space") + " " + items_of(fixed, item, length) + common("space") +
                " \"]\"");
  }

  std::string items_of(const std::vector<std::string>& fixed,
                       const std::optional<std::string>& item, const LengthBounds& length) {
    const std::string comma = common("space") + " \",\" " + common("space") + " ";
    std::string result;
    for (size_t i = 0; i < fixed.size(); ++i) result += (i == 0 ? "" : comma) + fixed[i] + " ";
    if (!item) return result;
    const uint64_t size = fixed.size();
    const uint64_t least = length.least > size ? length.least - size : 0;
    std::optional<uint64_t> most;
    if (length.most) most = *length.most - size;
    if (size > 0) return result + repeated(comma + *item, least, most) + " ";
    if (most) *most -= 1;
    const std::string all = *item + " " + repeated(comma + *item, least > 0 ? least - 1 : 0, most);
    return (least == 0 ? "(" + all + ")?" : all) + " ";
  }

  // --- objects

  struct Property {
    std::string member;  // expression of key and value
    bool required = false;
  };

  std::string convert_object(const OrderedJson& schema, const std::string& place, int depth) {
    check_object(schema, place);
    std::vector<std::string> names;
    const std::vector<Property> properties = properties_of(schema, place, depth, names);
    const std::string extra = extra_member(schema, place, depth, names);
    const LengthBounds size = bounds(schema, "minProperties", "maxProperties", place);
    const std::string comma = common("space") + " \",\" " + common("space") + " ";
    std::string members;
    if (properties.empty()) {
      if (extra.empty() && size.least > 0)
        throw SchemaContradiction("it has too few properties for its minProperties");
      if (!extra.empty() && size.most.value_or(1) > 0) members = map_members(extra, comma, size);
    } else {
      check_size(properties, !extra.empty(), size, place);
      members = ordered_members(properties, extra, comma);
    }
    return rule("\"{\" " + common("space") + " " + members + " " + common("space") + " \"}\"");
  }

  void check_object(const OrderedJson& schema, const std::string& place) const {
    const auto is = [&](const char* key, auto check, const char* what) {
      const auto found = schema.find(key);
      if (found != schema.end() && !check(*found)) refuse(child(place, key), what);
    };
    is("properties", [](const auto& j) { return j.is_object(); }, "must be an object");
    is("patternProperties", [](const auto& j) { return j.is_object(); }, "must be an object");
    is(
        "required",
        [](const auto& j) {
          return j.is_array() &&
                 std::all_of(j.begin(), j.end(), [](const auto& name) { return name.is_string(); });
        },
        "must be an array of strings");
    is(
        "unevaluatedProperties", [&](const auto&) { return schema.contains("properties"); },
        "is supported only beside properties");
    if (schema.contains("properties") && !schema["properties"].empty()) {
      for (const char* key : {"patternProperties", "propertyNames"})
        if (schema.contains(key)) refuse(child(place, key), "is not supported beside properties");
    } else if (schema.contains("patternProperties") && schema["patternProperties"].size() > 1) {
      refuse(child(place, "patternProperties"), "is supported with one pattern only");
    }
  }

  // In the schema's order; then those that are required but not described.
  std::vector<Property> properties_of(const OrderedJson& schema, const std::string& place,
                                      int depth, std::vector<std::string>& names) {
    std::set<std::string> required;
    if (schema.contains("required"))
      for (const OrderedJson& name : schema["required"]) required.insert(name.get<std::string>());
    std::vector<Property> properties;
    const auto add = [&](const std::string& name, const OrderedJson& value,
                         const std::string& where) {
      const bool needed = required.erase(name) > 0;
      names.push_back(name);
      try {
        properties.push_back(
            {fmt::format("{} {} \":\" {} {}", gbnf_literal(OrderedJson(name).dump()),
                         common("space"), common("space"), convert(value, where, depth + 1)),
             needed});
      } catch (const SchemaContradiction&) {
        if (needed) throw;
      }
    };
    if (schema.contains("properties"))
      for (const auto& [name, value] : schema["properties"].items())
        add(name, value, child(child(place, "properties"), name));
    const std::set<std::string> undescribed = required;
    for (const std::string& name : undescribed) {
      const auto extra = schema.find("additionalProperties");
      static const OrderedJson kAny = true;
      add(name, extra == schema.end() ? kAny : *extra, child(place, "additionalProperties"));
    }
    return properties;
  }

  // Key and value of a property that the schema does not name; empty where there is none.
  std::string extra_member(const OrderedJson& schema, const std::string& place, int depth,
                           const std::vector<std::string>& names) {
    const auto patterns = schema.find("patternProperties");
    const auto additional = schema.find("additionalProperties");
    const bool patterned = patterns != schema.end() && !patterns->empty();
    static const OrderedJson kAny = true;
    const OrderedJson* value = additional == schema.end() ? nullptr : &*additional;
    std::string where = child(place, "additionalProperties");
    std::string key;
    if (patterned) {
      const auto first = patterns->begin();
      where = child(child(place, "patternProperties"), first.key());
      key = "\"\\\"\" " + from_pattern(first.key(), {}, where) + " \"\\\"\"";
      value = &first.value();
    } else if (!value) {
      if (!names.empty() || schema.contains("properties")) return "";
      value = &kAny;
    }
    std::string expression;
    try {
      expression = convert(*value, where, depth + 1);
    } catch (const SchemaContradiction&) {
      return "";
    }
    const auto key_schema = schema.find("propertyNames");
    if (key_schema != schema.end()) {
      if (patterned)
        refuse(child(place, "propertyNames"), "is not supported beside patternProperties");
      key = convert(merge(OrderedJson{{"type", "string"}}, *key_schema, place),
                    child(place, "propertyNames"), depth + 1);
    }
    if (key.empty()) key = names.empty() ? common("string") : string_but_gbnf(names, adder());
    return rule(
        fmt::format("{} {} \":\" {} {}", key, common("space"), common("space"), expression));
  }

  static std::string map_members(const std::string& extra, const std::string& comma,
                                 const LengthBounds& size) {
    std::optional<uint64_t> more;
    if (size.most) more = *size.most - 1;
    const std::string all =
        extra + " " + repeated(comma + extra, size.least > 0 ? size.least - 1 : 0, more);
    return size.least == 0 ? "(" + all + ")?" : all;
  }

  void check_size(const std::vector<Property>& properties, bool open, const LengthBounds& size,
                  const std::string& place) const {
    const auto required = static_cast<uint64_t>(std::count_if(
        properties.begin(), properties.end(), [](const Property& p) { return p.required; }));
    if (size.least > required)
      refuse(child(place, "minProperties"),
             "is above the number of required properties: require them");
    if (size.most && (open || *size.most < properties.size()))
      refuse(child(place, "maxProperties"),
             "is not supported where fewer properties are allowed "
             "than described");
  }

  // Two rules a property: what may come from it on when none has been written, and when some have.
  std::string ordered_members(const std::vector<Property>& properties, const std::string& extra,
                              const std::string& comma) {
    std::string first = extra.empty() ? "" : rule(map_members(extra, comma, {}));
    std::string more = extra.empty() ? "" : rule("(" + comma + extra + ")*");
    for (auto property = properties.rbegin(); property != properties.rend(); ++property) {
      const std::string begin = property->member + " " + more;
      const std::string next = comma + property->member;
      if (property->required) {
        first = rule(begin);
        more = rule(next + " " + more);
      } else {
        first = rule(begin + " | " + first);
        more = rule("(" + next + ")? " + more);
      }
    }
    return first;
  }

  const std::string prefix_;
  const OrderedJson* document_ = nullptr;
  std::string field_;
  std::string rules_;
  std::set<std::string> common_;
  std::map<std::string, std::string> references_;  // names of their rules
  std::deque<std::pair<std::string, std::string>> waiting_;
  int64_t names_ = 0;
  size_t schemas_ = 0;
};

SchemaConverter::SchemaConverter(std::string prefix)
    : impl_(std::make_unique<Impl>(std::move(prefix))) {}
SchemaConverter::~SchemaConverter() = default;

std::string SchemaConverter::add(const OrderedJson& schema, const std::string& field,
                                 const std::string& reference) {
  try {
    return impl_->add(schema, field, reference);
  } catch (const SchemaContradiction& error) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{}: no value can fit the schema: {}", field, error.what()), field);
  } catch (const OrderedJson::exception& error) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{}: the schema is malformed: {}", field, error.what()), field);
  }
}

const std::string& SchemaConverter::rules() const { return impl_->rules(); }

std::string schema_to_gbnf(const OrderedJson& schema, const std::string& field) {
  SchemaConverter converter("schema-");
  const bool any = schema.is_object() && schema.empty();
  const std::string root = converter.add(any ? OrderedJson{{"type", "object"}} : schema, field);
  return "root ::= " + root + "\n" + converter.rules();
}

std::string json_pointer_segment(const std::string& name) {
  std::string result;
  for (const char c : name) {
    if (c == '~')
      result += "~0";
    else if (c == '/')
      result += "~1";
    else if (c == '%')
      result += "%25";
    else
      result += c;
  }
  return result;
}

bool may_be_string(const OrderedJson& schema, const OrderedJson& document) {
  const OrderedJson* at = &schema;
  for (int i = 0; i < 32 && at->is_object() && at->contains("$ref"); ++i) {
    const OrderedJson& reference = at->at("$ref");
    if (!reference.is_string() || !reference.get<std::string>().starts_with("#")) return true;
    at = at_reference(document, reference.get<std::string>());
    if (!at) return true;
  }
  if (!at->is_object()) return true;
  const auto type = at->find("type");
  if (type != at->end())
    return *type == "string" ||
           (type->is_array() && std::find(type->begin(), type->end(), "string") != type->end());
  for (const char* keyword : {"anyOf", "oneOf"})
    if (at->contains(keyword) && at->at(keyword).is_array())
      return std::any_of(at->at(keyword).begin(), at->at(keyword).end(),
                         [&](const OrderedJson& part) { return may_be_string(part, document); });
  if (at->contains("const")) return at->at("const").is_string();
  if (at->contains("enum"))
    return std::any_of(at->at("enum").begin(), at->at("enum").end(),
                       [](const OrderedJson& value) { return value.is_string(); });
  return !at->contains("properties") && !at->contains("items");
}

}  // namespace polyphon
