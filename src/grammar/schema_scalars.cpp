#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "grammar/json_pointer.h"
#include "grammar/schema_converter.h"
#include "grammar/schema_vocabulary.h"

namespace polyphon {
namespace {

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

std::string SchemaConverter::Impl::convert_values(const OrderedJson& schema,
                                                  const std::string& place) {
  const OrderedJson values =
      schema.contains("const") ? OrderedJson::array({schema.at("const")}) : schema.at("enum");
  std::vector<std::string> texts;
  for (const OrderedJson& value : values)
    if (fits(value, schema, place)) texts.push_back(value.dump());
  if (texts.empty()) throw SchemaContradiction("none of its values fits its other keywords");
  return any_of_gbnf(std::move(texts), adder());
}

bool SchemaConverter::Impl::fits(const OrderedJson& value, const OrderedJson& schema,
                                 const std::string& place) const {
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
      if (!limit.is_number()) refuse(json_pointer_child(place, keyword), "must be a number");
      if (keyword == "minLength" ? size < limit.get<double>() : size > limit.get<double>())
        return false;
    } else if (keyword == "minimum" || keyword == "maximum" || keyword == "exclusiveMinimum" ||
               keyword == "exclusiveMaximum") {
      if (!value.is_number()) continue;
      if (!limit.is_number()) refuse(json_pointer_child(place, keyword), "must be a number");
      const double x = value.get<double>(), y = limit.get<double>();
      if (keyword == "minimum"            ? x < y
          : keyword == "maximum"          ? x > y
          : keyword == "exclusiveMinimum" ? x <= y
                                          : x >= y)
        return false;
    } else if (value.is_string()
                   ? keyword == "pattern" || keyword == "format"
                   : value.is_structured() && keyword != "type" && keyword != "enum" &&
                         keyword != "const" && !is_annotation(keyword)) {
      refuse(json_pointer_child(place, keyword), "is not supported beside enum or const");
    }
  }
  return true;
}

std::string SchemaConverter::Impl::convert_string(const OrderedJson& schema,
                                                  const std::string& place) {
  const std::string inside = string_inside(schema, place);
  return inside.empty() ? common("string") : rule("\"\\\"\" " + inside + " \"\\\"\"");
}

std::string SchemaConverter::Impl::string_inside(const OrderedJson& schema,
                                                 const std::string& place) {
  const LengthBounds length = bounds(schema, "minLength", "maxLength", place);
  const auto pattern = schema.find("pattern"), format = schema.find("format");
  const bool stored = format != schema.end() && format->is_string() &&
                      is_storage_format(format->get<std::string>());
  if (format != schema.end() && !stored) {
    const auto known = format->is_string() ? string_formats().find(format->get<std::string>())
                                           : string_formats().end();
    if (known == string_formats().end())
      refuse(json_pointer_child(place, "format"),
             fmt::format("is {}: this format is not supported", shown_json(*format)));
    if (pattern != schema.end())
      refuse(json_pointer_child(place, "pattern"), "is not supported beside format");
    return from_pattern(known->second, length, json_pointer_child(place, "format"));
  }
  if (pattern != schema.end()) {
    if (!pattern->is_string()) refuse(json_pointer_child(place, "pattern"), "must be a string");
    return from_pattern(pattern->get<std::string>(), length, json_pointer_child(place, "pattern"));
  }
  if (length.least == 0 && !length.most) return "";
  return repeated(common("char"), length.least, length.most);
}

std::string SchemaConverter::Impl::from_pattern(const std::string& pattern,
                                                const LengthBounds& length,
                                                const std::string& place) {
  try {
    return pattern_gbnf(pattern, length, common("char"));
  } catch (const PatternError& error) {
    refuse(place, fmt::format("{} cannot be enforced: {}", shown_json(pattern), error.what()));
  }
}

std::optional<NumberBound> SchemaConverter::Impl::bound(const OrderedJson& schema,
                                                        const char* keyword, const char* exclusive,
                                                        bool low, const std::string& place) {
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
    if (!value)
      refuse(json_pointer_child(place, key), "must be a number, not " + shown_json(*found));
    const NumberBound next{*value, key == exclusive};
    const bool tighter =
        !result || (low ? less(result->value, next.value) : less(next.value, result->value)) ||
        (!less(result->value, next.value) && !less(next.value, result->value));
    if (tighter) result = next;
  }
  return result;
}

std::string SchemaConverter::Impl::convert_number(const std::string& type,
                                                  const OrderedJson& schema,
                                                  const std::string& place) {
  const auto multiple = schema.find("multipleOf");
  if (multiple != schema.end() && !(type == "integer" && *multiple == 1))
    refuse(json_pointer_child(place, "multipleOf"),
           "is not supported: state the constraint in another way");
  const auto low = bound(schema, "minimum", "exclusiveMinimum", true, place);
  const auto high = bound(schema, "maximum", "exclusiveMaximum", false, place);
  if (!low && !high) return common(type);
  if (low && high && less(high->value, low->value))
    refuse(place, "has a minimum above its maximum");
  const std::string range =
      type == "integer" ? integer_range_gbnf(low, high) : number_range_gbnf(low, high);
  if (range.empty()) throw SchemaContradiction("no number lies between its bounds");
  return rule(range);
}

}  // namespace polyphon
