#include "grammar/json_schema.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/shown.h"
#include "grammar/gbnf_text.h"
#include "grammar/json_pointer.h"
#include "grammar/schema_converter.h"
#include "grammar/schema_vocabulary.h"

namespace polyphon {
namespace {

constexpr int kMaxSchemaNesting = 100;
constexpr size_t kMaxSchemas = 200'000;
constexpr size_t kMaxGrammarText = 8 << 20;
constexpr size_t kMaxOneOf = 256;
constexpr size_t kMostPlaceBytes = 160;

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

bool has_constraints_beside(const OrderedJson& schema, const char* keyword) {
  return std::any_of(schema.items().begin(), schema.items().end(), [&](const auto& item) {
    return item.key() != keyword && !is_annotation(item.key());
  });
}

OrderedJson without(const OrderedJson& schema, const char* keyword) {
  OrderedJson rest = schema;
  rest.erase(keyword);
  return rest;
}

}  // namespace

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

std::string shown_json(const OrderedJson& value) { return shown(value.dump(-1, ' ', true)); }

std::string SchemaConverter::Impl::add(const OrderedJson& schema, const std::string& field,
                                       const std::string& reference) {
  document_ = &schema;
  field_ = field;
  references_.clear();
  const std::string root = convert(by_reference(reference), reference, 0);
  // Schemas that are referred to become rules of their own, so that they may refer to themselves.
  while (!waiting_.empty()) {
    const auto [reference, name] = waiting_.front();
    waiting_.pop_front();
    define(name, convert(*at_json_pointer(schema, reference), reference, 0));
  }
  return root;
}

void SchemaConverter::Impl::refuse(const std::string& place, const std::string& why) const {
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("{}: {} {}", field_, shown(place, kMostPlaceBytes), why), field_);
}

void SchemaConverter::Impl::define(const std::string& name, const std::string& body) {
  rules_ += name + " ::= " + body + "\n";
  if (rules_.size() > kMaxGrammarText)
    refuse("#", fmt::format("makes a grammar of more than {} bytes: simplify the schema",
                            kMaxGrammarText));
}

std::string SchemaConverter::Impl::rule(const std::string& body) {
  const std::string name = fresh_name();
  define(name, body);
  return name;
}

AddRule SchemaConverter::Impl::adder() {
  return [this](const std::string& body) { return rule(body); };
}

std::string SchemaConverter::Impl::common(const std::string& name) {
  if (common_.insert(name).second) {
    std::string body;
    const std::string& text = common_schema_rules().at(name);
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

std::string SchemaConverter::Impl::convert(const OrderedJson& schema, const std::string& place,
                                           int depth) {
  if (++schemas_ > kMaxSchemas) refuse(place, "makes the schema too large");
  if (depth > kMaxSchemaNesting)
    refuse(place, fmt::format("nests deeper than {} levels", kMaxSchemaNesting));
  if (schema == true) return common("value");
  if (schema == false) throw SchemaContradiction("it is false");
  if (!schema.is_object())
    refuse(place, "must be a schema: an object, true or false, not " + shown_json(schema));
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

void SchemaConverter::Impl::check_keywords(const OrderedJson& schema,
                                           const std::string& place) const {
  for (const auto& [keyword, value] : schema.items())
    if (kRefused.contains(keyword))
      refuse(json_pointer_child(place, keyword),
             "is not supported: state the constraint in another way");
  for (const char* keyword : {"allOf", "anyOf", "oneOf", "enum"}) {
    const auto found = schema.find(keyword);
    if (found != schema.end() && (!found->is_array() || found->empty()))
      refuse(json_pointer_child(place, keyword), "must be an array with at least one entry");
  }
  const auto reference = schema.find("$ref");
  if (reference != schema.end() && !reference->is_string())
    refuse(json_pointer_child(place, "$ref"), "must be a string");
}

const OrderedJson& SchemaConverter::Impl::by_reference(const std::string& reference) const {
  if (!reference.starts_with("#"))
    refuse("$ref",
           fmt::format("'{}' leads out of the schema: only '#/...' is followed", reference));
  const OrderedJson* target = at_json_pointer(*document_, reference);
  if (!target) refuse("$ref", fmt::format("'{}' leads to nothing in the schema", reference));
  return *target;
}

SchemaByReference SchemaConverter::Impl::lookup() const {
  return [this](const std::string& reference) -> const OrderedJson& {
    return by_reference(reference);
  };
}

OrderedJson SchemaConverter::Impl::merge(const OrderedJson& a, const OrderedJson& b,
                                         const std::string& place) const {
  try {
    return merge_schemas(a, b, lookup());
  } catch (const Error& error) {
    if (!error.field().empty()) throw;  // ours, from by_reference
    refuse(place, error.what());
  }
}

std::string SchemaConverter::Impl::convert_reference(const OrderedJson& schema,
                                                     const std::string& place, int depth) {
  if (has_constraints_beside(schema, "$ref"))  // merging follows the reference
    return convert(merge(schema, OrderedJson::object(), place), place, depth + 1);
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

std::string SchemaConverter::Impl::convert_all_of(const OrderedJson& schema,
                                                  const std::string& place, int depth) {
  OrderedJson whole = without(schema, "allOf");
  for (const OrderedJson& part : schema.at("allOf")) whole = merge(whole, part, place);
  return convert(whole, place, depth + 1);
}

std::string SchemaConverter::Impl::convert_any_of(const OrderedJson& schema, const char* keyword,
                                                  const std::string& place, int depth) {
  const OrderedJson rest = without(schema, keyword);
  const bool alone = !has_constraints_beside(schema, keyword);
  const OrderedJson& all = schema.at(keyword);
  if (std::string_view(keyword) == "oneOf") check_disjoint(all, json_pointer_child(place, keyword));
  std::vector<std::string> alternatives;
  std::string why;
  for (size_t i = 0; i < all.size(); ++i) {
    const std::string where = json_pointer_child(json_pointer_child(place, keyword), i);
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

void SchemaConverter::Impl::check_disjoint(const OrderedJson& all, const std::string& place) const {
  if (all.size() > kMaxOneOf)
    refuse(place, fmt::format("has {} alternatives: at most {}; use anyOf", all.size(), kMaxOneOf));
  for (size_t i = 0; i < all.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (!disjoint(all[i], all[j], 0))
        refuse(place,
               fmt::format("has alternatives {} and {} that one value could fit: use anyOf", j, i));
}

const OrderedJson& SchemaConverter::Impl::followed(const OrderedJson& schema) const {
  const OrderedJson* at = &schema;
  for (int i = 0; i < kMaxSchemaNesting; ++i) {
    if (!at->is_object() || !at->contains("$ref") || !at->at("$ref").is_string()) break;
    at = &by_reference(at->at("$ref").get<std::string>());
  }
  return *at;
}

bool SchemaConverter::Impl::disjoint(const OrderedJson& a, const OrderedJson& b, int depth) const {
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

std::vector<std::string> SchemaConverter::Impl::types_of(const OrderedJson& schema) const {
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

std::string SchemaConverter::Impl::convert_types(const OrderedJson& schema,
                                                 const std::string& place, int depth) {
  const auto given = schema.find("type");
  if (given != schema.end()) {
    const OrderedJson types = given->is_array() ? *given : OrderedJson::array({*given});
    if (types.empty()) refuse(json_pointer_child(place, "type"), "must not be empty");
    for (const OrderedJson& type : types)
      if (!type.is_string() ||
          std::find(kTypes.begin(), kTypes.end(), type.get<std::string>()) == kTypes.end())
        refuse(json_pointer_child(place, "type"),
               fmt::format("is {}: must be object, array, string, number, integer, boolean or "
                           "null",
                           shown_json(type)));
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

std::string SchemaConverter::Impl::convert_type(const std::string& type, const OrderedJson& schema,
                                                const std::string& place, int depth) {
  if (type == "object") return convert_object(schema, place, depth);
  if (type == "array") return convert_array(schema, place, depth);
  if (type == "string") return convert_string(schema, place);
  if (type == "number" || type == "integer") return convert_number(type, schema, place);
  return common(type);
}

std::optional<uint64_t> SchemaConverter::Impl::count(const OrderedJson& schema, const char* keyword,
                                                     const std::string& place) const {
  const auto found = schema.find(keyword);
  if (found == schema.end()) return std::nullopt;
  const bool whole =
      found->is_number_unsigned() || (found->is_number_integer() && found->get<int64_t>() >= 0) ||
      (found->is_number_float() && found->get<double>() >= 0 && found->get<double>() < 1e15 &&
       std::floor(found->get<double>()) == found->get<double>());
  if (!whole)
    refuse(json_pointer_child(place, keyword),
           "must be a whole number from 0, not " + shown_json(*found));
  return found->is_number_float() ? static_cast<uint64_t>(found->get<double>())
                                  : found->get<uint64_t>();
}

LengthBounds SchemaConverter::Impl::bounds(const OrderedJson& schema, const char* least,
                                           const char* most, const std::string& place) const {
  const LengthBounds result{count(schema, least, place).value_or(0), count(schema, most, place)};
  if (result.most && *result.most < result.least)
    refuse(json_pointer_child(place, least),
           fmt::format("is {}, above {}, which is {}", result.least, most, *result.most));
  if (result.least > 1'000'000)
    refuse(json_pointer_child(place, least), fmt::format("is {}: at most 1000000", result.least));
  return result;
}

std::string SchemaConverter::Impl::repeated(const std::string& expression, uint64_t least,
                                            std::optional<uint64_t> most) {
  if (!most || *most > 1'000'000'000) {
    if (least == 0) return fmt::format("({})*", expression);
    return fmt::format("({}){{{},}}", expression, least);
  }
  return fmt::format("({}){{{},{}}}", expression, least, *most);
}

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

OrderedJson response_schema(const OrderedJson& schema) {
  return schema.is_object() && schema.empty() ? OrderedJson{{"type", "object"}} : schema;
}

std::string schema_to_gbnf(const OrderedJson& schema, const std::string& field) {
  SchemaConverter converter("schema-");
  const OrderedJson whole = response_schema(schema);
  const std::string root = converter.add(whole, field);
  return "root ::= " + root + "\n" + converter.rules();
}

bool may_be_string(const OrderedJson& schema, const OrderedJson& document) {
  const OrderedJson* at = &schema;
  for (int i = 0; i < 32 && at->is_object() && at->contains("$ref"); ++i) {
    const OrderedJson& reference = at->at("$ref");
    if (!reference.is_string() || !reference.get<std::string>().starts_with("#")) return true;
    at = at_json_pointer(document, reference.get<std::string>());
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
