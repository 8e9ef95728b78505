#include "server/field_reader.h"

#include <fmt/format.h>

#include <cmath>

#include "base/error.h"
#include "server/api_error.h"

namespace polyphon {
namespace {

std::string shown(const Json& value) {
  std::string text = to_text(value);
  if (text.size() > 60) text = text.substr(0, 60) + "...";
  return text;
}

}  // namespace

Json parse_body(const std::string& body) {
  Json json;
  try {
    json = Json::parse(body);
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::kInvalidArgument,
                std::string("the body is not valid JSON: ") + error.what());
  }
  if (!json.is_object())
    throw Error(ErrorCode::kInvalidArgument, "the body must be a JSON object, not " + shown(json));
  return json;
}

FieldReader::FieldReader(const Json& object, std::string path)
    : object_(object), path_(std::move(path)) {
  if (!object_.is_object())
    throw Error(ErrorCode::kInvalidArgument, path_ + " must be an object, not " + shown(object_),
                path_);
}

std::string FieldReader::path(const std::string& key) const {
  return path_.empty() ? key : path_ + "." + key;
}

void FieldReader::refuse(const std::string& key, const std::string& why) const {
  throw Error(ErrorCode::kInvalidArgument, path(key) + " " + why, path(key));
}

const Json* FieldReader::find(const char* key) const {
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::string> FieldReader::string(const char* key) const {
  const Json* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_string()) refuse(key, "must be a string, not " + shown(*value));
  return value->get<std::string>();
}

std::optional<bool> FieldReader::boolean(const char* key) const {
  const Json* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_boolean()) refuse(key, "must be true or false, not " + shown(*value));
  return value->get<bool>();
}

std::optional<int64_t> FieldReader::integer(const char* key, int64_t least, int64_t most) const {
  const auto value = number(key, static_cast<double>(least), static_cast<double>(most));
  if (!value) return std::nullopt;
  if (std::floor(*value) != *value)
    refuse(key, fmt::format("must be a whole number, not {}", *value));
  return find(key)->is_number_integer() ? find(key)->get<int64_t>() : static_cast<int64_t>(*value);
}

std::optional<double> FieldReader::number(const char* key, double least, double most) const {
  const Json* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_number()) refuse(key, "must be a number, not " + shown(*value));
  const double result = value->get<double>();
  if (!(result >= least && result <= most))
    refuse(key, fmt::format("is {}: must be {} to {}", shown(*value), least, most));
  return result;
}

std::vector<std::string> FieldReader::strings(const char* key, size_t most) const {
  const Json* value = find(key);
  if (!value) return {};
  if (value->is_string()) return {value->get<std::string>()};
  if (!value->is_array())
    refuse(key, "must be a string or an array of strings, not " + shown(*value));
  if (value->size() > most)
    refuse(key, fmt::format("has {} entries: at most {}", value->size(), most));
  std::vector<std::string> result;
  for (const Json& item : *value) {
    if (!item.is_string()) refuse(key, "must hold strings only, not " + shown(item));
    result.push_back(item.get<std::string>());
  }
  return result;
}

const Json* FieldReader::array(const char* key) const {
  const Json* value = find(key);
  if (value && !value->is_array()) refuse(key, "must be an array, not " + shown(*value));
  return value;
}

const Json* FieldReader::object(const char* key) const {
  const Json* value = find(key);
  if (value && !value->is_object()) refuse(key, "must be an object, not " + shown(*value));
  return value;
}

}  // namespace polyphon
