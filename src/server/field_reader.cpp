#include "server/field_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/shown.h"
#include "base/utf8.h"
#include "core/ordered_json.h"
#include "server/api_error.h"

namespace polyphon {
namespace {

constexpr size_t kMostPathBytes = 200;
constexpr size_t kMostTexts = 64;  // of one setting
// Where JSON does not parse, with what was read last.
constexpr size_t kMostParseErrorBytes = 300;

std::string shown_value(const OrderedJson& value) { return shown(to_text(Json(value))); }

}  // namespace

OrderedJson parse_body(const std::string& body) {
  if (!is_valid_utf8(body)) throw Error(ErrorCode::kInvalidArgument, "the body is not valid UTF-8");
  OrderedJson json;
  try {
    json = parse_ordered(body, kMaxBodyDepth);
  } catch (const Error& error) {
    throw Error(error.code(), "the body " + shown(std::string(error.what()), kMostParseErrorBytes));
  }
  if (!json.is_object())
    throw Error(ErrorCode::kInvalidArgument,
                "the body must be a JSON object, not " + shown_value(json));
  return json;
}

FieldReader::FieldReader(const OrderedJson& object, std::string path)
    : object_(object), path_(std::move(path)) {
  if (!object_.is_object())
    throw Error(ErrorCode::kInvalidArgument,
                path_ + " must be an object, not " + shown_value(object_), path_);
}

std::string FieldReader::path(const std::string& key) const {
  return path_.empty() ? key : path_ + "." + key;
}

void FieldReader::allow_only(std::span<const char* const> keys) const {
  for (const auto& [key, value] : object_.items())
    if (std::find(keys.begin(), keys.end(), key) == keys.end())
      refuse(key, fmt::format("is not a known field: there are {}", fmt::join(keys, ", ")));
}

void FieldReader::refuse(const std::string& key, const std::string& why) const {
  const std::string at = shown(path(key), kMostPathBytes);
  throw Error(ErrorCode::kInvalidArgument, at + " " + why, at);
}

const OrderedJson* FieldReader::find(const char* key) const {
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::string> FieldReader::string(const char* key) const {
  const OrderedJson* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_string()) refuse(key, "must be a string, not " + shown_value(*value));
  return value->get<std::string>();
}

std::optional<bool> FieldReader::boolean(const char* key) const {
  const OrderedJson* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_boolean()) refuse(key, "must be true or false, not " + shown_value(*value));
  return value->get<bool>();
}

std::optional<int64_t> FieldReader::integer(const char* key, int64_t least, int64_t most) const {
  const OrderedJson* value = find(key);
  if (!value) return std::nullopt;
  const auto out_of_range = [&]() {
    refuse(key, fmt::format("is {}: must be {} to {}", shown_value(*value), least, most));
  };
  if (!value->is_number()) refuse(key, "must be a whole number, not " + shown_value(*value));
  int64_t result = 0;
  if (value->is_number_unsigned()) {
    if (value->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) out_of_range();
    result = value->get<int64_t>();
  } else if (value->is_number_integer()) {
    result = value->get<int64_t>();
  } else {
    const double number = value->get<double>();
    constexpr double kExact = 9007199254740992;  // 2^53
    if (!(std::fabs(number) <= kExact)) out_of_range();
    if (std::floor(number) != number)
      refuse(key, "must be a whole number, not " + shown_value(*value));
    result = static_cast<int64_t>(number);
  }
  if (result < least || result > most) out_of_range();
  return result;
}

std::optional<double> FieldReader::number(const char* key, double least, double most) const {
  const OrderedJson* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_number()) refuse(key, "must be a number, not " + shown_value(*value));
  const double result = value->get<double>();
  if (!(result >= least && result <= most))
    refuse(key, fmt::format("is {}: must be {} to {}", shown_value(*value), least, most));
  return result;
}

std::vector<std::string> FieldReader::strings(const char* key, size_t most) const {
  const OrderedJson* value = find(key);
  if (!value) return {};
  if (value->is_string()) return {value->get<std::string>()};
  if (!value->is_array())
    refuse(key, "must be a string or an array of strings, not " + shown_value(*value));
  if (value->size() > most)
    refuse(key, fmt::format("has {} entries: at most {}", value->size(), most));
  std::vector<std::string> result;
  for (const OrderedJson& item : *value) {
    if (!item.is_string()) refuse(key, "must hold strings only, not " + shown_value(item));
    result.push_back(item.get<std::string>());
  }
  return result;
}

Json FieldReader::value_of(const char* key, SettingType type, double least, double most) const {
  const auto json = [](const auto& value) { return value ? Json(*value) : Json(); };
  switch (type) {
    case SettingType::kSwitch:
      return json(boolean(key));
    case SettingType::kWhole:
      return json(integer(key, static_cast<int64_t>(least), static_cast<int64_t>(most)));
    case SettingType::kNumber:
      return json(number(key, least, most));
    case SettingType::kText:
      return json(string(key));
    case SettingType::kTexts:
      return find(key) ? Json(strings(key, kMostTexts)) : Json();
  }
  return {};
}

const OrderedJson* FieldReader::array(const char* key) const {
  const OrderedJson* value = find(key);
  if (value && !value->is_array()) refuse(key, "must be an array, not " + shown_value(*value));
  return value;
}

const OrderedJson* FieldReader::object(const char* key) const {
  const OrderedJson* value = find(key);
  if (value && !value->is_object()) refuse(key, "must be an object, not " + shown_value(*value));
  return value;
}

}  // namespace polyphon
