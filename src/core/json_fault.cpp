#include "core/json_fault.h"

#include <string_view>

namespace polyphon {
namespace {

// What stands between the first `open` and the next `close` after it; empty when there is none.
std::string_view between(std::string_view text, std::string_view open, std::string_view close) {
  const size_t start = text.find(open);
  if (start == std::string_view::npos) return {};
  text.remove_prefix(start + open.size());
  return text.substr(0, text.find(close));
}

std::string with_article(std::string_view type) {
  if (type == "null") return "null";
  return (type == "array" || type == "object" ? "an " : "a ") + std::string(type);
}

}  // namespace

std::string json_fault(const Json::exception& error) {
  constexpr int kWrongType = 302, kNoSuchIndex = 401, kNoSuchMember = 403;
  const std::string_view text = error.what();
  const std::string_view wanted = between(text, "type must be ", ",");
  const std::string_view found = between(text, "but is ", " ");
  if (dynamic_cast<const nlohmann::json::parse_error*>(&error)) return "it is not JSON";
  if (error.id == kNoSuchMember)
    return "the member '" + std::string(between(text, "key '", "'")) + "' is missing";
  if (error.id == kNoSuchIndex) return "a list is too short";
  if (error.id == kWrongType && !wanted.empty() && !found.empty())
    return "a value is " + with_article(found) + " instead of " + with_article(wanted);
  return "a value has the wrong type";
}

}  // namespace polyphon
