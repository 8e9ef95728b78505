// Typed access to a JSON object from outside. Every refusal names the field by its full path and
// the value, as OpenAI's `param` and message do. null counts as absent.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/json.h"
#include "record/request_field.h"

namespace polyphon {

// Levels of arrays and objects that a body may nest; what reads it further recurses.
inline constexpr int kMaxBodyDepth = 100;

// Objects keep the order of their members. Throws Error{kInvalidArgument}: not JSON (where), not
// UTF-8, nested too deep, not an object.
OrderedJson parse_body(const std::string& body);

class FieldReader {
 public:
  // `object` must outlive this. `path` stands before every field's name.
  explicit FieldReader(const OrderedJson& object, std::string path = "");
  explicit FieldReader(OrderedJson&&, std::string path = "") = delete;  // nor what converts to it

  // The value, or null.
  const OrderedJson* find(const char* key) const;
  std::optional<std::string> string(const char* key) const;
  std::optional<bool> boolean(const char* key) const;
  std::optional<int64_t> integer(const char* key, int64_t least, int64_t most) const;
  std::optional<double> number(const char* key, double least, double most) const;
  // A string, or an array of at most `most` strings.
  std::vector<std::string> strings(const char* key, size_t most) const;
  // Null when absent.
  const OrderedJson* array(const char* key) const;
  const OrderedJson* object(const char* key) const;

  // Reads what is there of the table's fields into `request`. All their names go to `keys`.
  template <typename Request>
  void read_table(std::span<const RequestField<Request>> table, Request& request,
                  std::vector<const char*>& keys) const {
    for (const RequestField<Request>& field : table) {
      keys.push_back(field.name);
      if (const auto* whole = std::get_if<int Request::*>(&field.member)) {
        if (const auto value = integer(field.name, static_cast<int64_t>(field.least),
                                       static_cast<int64_t>(field.most)))
          request.** whole = static_cast<int>(*value);
      } else if (const auto value = number(field.name, field.least, field.most)) {
        request.*std::get<double Request::*>(field.member) = *value;
      }
    }
  }

  // Refuses every field that is not named.
  void allow_only(std::span<const char* const> keys) const;
  void allow_only(std::initializer_list<const char*> keys) const {
    allow_only(std::span(keys.begin(), keys.size()));
  }
  std::string path(const std::string& key) const;
  [[noreturn]] void refuse(const std::string& key, const std::string& why) const;

 private:
  const OrderedJson& object_;
  std::string path_;
};

}  // namespace polyphon
