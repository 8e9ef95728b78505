#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "grammar/gbnf_text.h"
#include "grammar/json_pointer.h"
#include "grammar/schema_converter.h"

namespace polyphon {

std::string SchemaConverter::Impl::convert_array(const OrderedJson& schema,
                                                 const std::string& place, int depth) {
  const LengthBounds length = bounds(schema, "minItems", "maxItems", place);
  if (schema.value("uniqueItems", false) && length.most.value_or(2) > 1)
    refuse(json_pointer_child(place, "uniqueItems"), "cannot be enforced by a grammar");
  const auto items = schema.find("items");
  const bool old_tuple = items != schema.end() && items->is_array();
  const char* const tuple_key = old_tuple ? "items" : "prefixItems";
  const char* const rest_key = old_tuple ? "additionalItems" : "items";
  const auto tuple = schema.find(tuple_key), rest = schema.find(rest_key);
  std::vector<std::string> fixed;
  if (tuple != schema.end()) {
    if (!tuple->is_array()) refuse(json_pointer_child(place, tuple_key), "must be an array");
    for (size_t i = 0; i < tuple->size() && i < length.most.value_or(SIZE_MAX); ++i)
      fixed.push_back(convert(
          (*tuple)[i], json_pointer_child(json_pointer_child(place, tuple_key), i), depth + 1));
  }
  // Items beyond the tuple are written only where the schema speaks of them.
  const bool open = tuple == schema.end() || rest != schema.end() || length.least > fixed.size();
  std::optional<std::string> item;
  if (open && length.most.value_or(SIZE_MAX) > fixed.size()) try {
      item = rest == schema.end() ? common("value")
                                  : convert(*rest, json_pointer_child(place, rest_key), depth + 1);
    } catch (const SchemaContradiction&) {
      if (length.least > fixed.size()) throw;
    }
  return rule("\"[\" " + common("space") + " " + items_of(fixed, item, length) + common("space") +
              " \"]\"");
}

std::string SchemaConverter::Impl::items_of(const std::vector<std::string>& fixed,
                                            const std::optional<std::string>& item,
                                            const LengthBounds& length) {
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

std::string SchemaConverter::Impl::convert_object(const OrderedJson& schema,
                                                  const std::string& place, int depth) {
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

void SchemaConverter::Impl::check_object(const OrderedJson& schema,
                                         const std::string& place) const {
  const auto is = [&](const char* key, auto check, const char* what) {
    const auto found = schema.find(key);
    if (found != schema.end() && !check(*found)) refuse(json_pointer_child(place, key), what);
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
      if (schema.contains(key))
        refuse(json_pointer_child(place, key), "is not supported beside properties");
  } else if (schema.contains("patternProperties") && schema["patternProperties"].size() > 1) {
    refuse(json_pointer_child(place, "patternProperties"), "is supported with one pattern only");
  }
}

std::vector<SchemaConverter::Impl::Property> SchemaConverter::Impl::properties_of(
    const OrderedJson& schema, const std::string& place, int depth,
    std::vector<std::string>& names) {
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
          {fmt::format("{} {} \":\" {} {}", gbnf_literal(OrderedJson(name).dump()), common("space"),
                       common("space"), convert(value, where, depth + 1)),
           needed});
    } catch (const SchemaContradiction&) {
      if (needed) throw;
    }
  };
  if (schema.contains("properties"))
    for (const auto& [name, value] : schema["properties"].items())
      add(name, value, json_pointer_child(json_pointer_child(place, "properties"), name));
  const std::set<std::string> undescribed = required;
  for (const std::string& name : undescribed) {
    const auto extra = schema.find("additionalProperties");
    static const OrderedJson kAny = true;
    add(name, extra == schema.end() ? kAny : *extra,
        json_pointer_child(place, "additionalProperties"));
  }
  return properties;
}

std::string SchemaConverter::Impl::extra_member(const OrderedJson& schema, const std::string& place,
                                                int depth, const std::vector<std::string>& names) {
  const auto patterns = schema.find("patternProperties");
  const auto additional = schema.find("additionalProperties");
  const bool patterned = patterns != schema.end() && !patterns->empty();
  static const OrderedJson kAny = true;
  const OrderedJson* value = additional == schema.end() ? nullptr : &*additional;
  std::string where = json_pointer_child(place, "additionalProperties");
  std::string key;
  if (patterned) {
    const auto first = patterns->begin();
    where = json_pointer_child(json_pointer_child(place, "patternProperties"), first.key());
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
      refuse(json_pointer_child(place, "propertyNames"),
             "is not supported beside patternProperties");
    key = convert(merge(OrderedJson{{"type", "string"}}, *key_schema, place),
                  json_pointer_child(place, "propertyNames"), depth + 1);
  }
  if (key.empty()) key = names.empty() ? common("string") : string_but_gbnf(names, adder());
  return rule(fmt::format("{} {} \":\" {} {}", key, common("space"), common("space"), expression));
}

std::string SchemaConverter::Impl::map_members(const std::string& extra, const std::string& comma,
                                               const LengthBounds& size) {
  std::optional<uint64_t> more;
  if (size.most) more = *size.most - 1;
  const std::string all =
      extra + " " + repeated(comma + extra, size.least > 0 ? size.least - 1 : 0, more);
  return size.least == 0 ? "(" + all + ")?" : all;
}

void SchemaConverter::Impl::check_size(const std::vector<Property>& properties, bool open,
                                       const LengthBounds& size, const std::string& place) const {
  const auto required = static_cast<uint64_t>(std::count_if(
      properties.begin(), properties.end(), [](const Property& p) { return p.required; }));
  if (size.least > required)
    refuse(json_pointer_child(place, "minProperties"),
           "is above the number of required properties: require them");
  if (size.most && (open || *size.most < properties.size()))
    refuse(json_pointer_child(place, "maxProperties"),
           "is not supported where fewer properties are allowed "
           "than described");
}

std::string SchemaConverter::Impl::ordered_members(const std::vector<Property>& properties,
                                                   const std::string& extra,
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

}  // namespace polyphon
