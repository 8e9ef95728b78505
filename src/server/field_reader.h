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
#include "core/setting.h"

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

  // Reads what is there of the rows that stand right under `prefix` ("search.", or "") and that
  // requests may set. All their names go to `keys`.
  template <typename Target>
  void read_settings(const std::vector<Setting<Target>>& rows, const std::string& prefix,
                     Target& target, std::vector<const char*>& keys) const {
    for (const Setting<Target>& row : rows) {
      const char* const key = row.name_under(prefix);
      if (!key || !row.in(kRequestScope)) continue;
      keys.push_back(key);
      if (const Json value = value_of(key, row.type, row.least, row.most); !value.is_null())
        row.set(target, value);
    }
  }
  // A value of that type, null when absent. `least` and `most` bound numbers.
  Json value_of(const char* key, SettingType type, double least, double most) const;

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
