// Reads and writes plain structs as JSON. For each struct, one function describe() passes the names
// and members to a visitor (a JsonWriter or a JsonReader):
//   template <typename Visitor>
//   void describe(Visitor& visit, RegisterCost& cost) {
//     visit("name", cost.name);
//     visit("notes", cost.notes);
//   }
// A member can be a number, a text, an enumeration with names (record/names.h), a described struct,
// a type with spelled() and read_spelled(), or a vector, pair, array or optional of these. NaN is
// written as null.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/shown.h"
#include "core/json.h"
#include "record/names.h"

namespace polyphon {

template <typename T>
concept IsSpelled = requires(const T& value, T& to) {
  { spelled(value) } -> std::convertible_to<std::string>;
  read_spelled(std::string_view(), to);
};

template <typename T>
struct IsVector : std::false_type {};
template <typename T>
struct IsVector<std::vector<T>> : std::true_type {};
template <typename T>
struct IsPair : std::false_type {};
template <typename A, typename B>
struct IsPair<std::pair<A, B>> : std::true_type {};
template <typename T>
struct IsOptional : std::false_type {};
template <typename T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <typename T>
struct IsArray : std::false_type {};
template <typename T, size_t N>
struct IsArray<std::array<T, N>> : std::true_type {};

class JsonWriter {
 public:
  template <typename T>
  void operator()(const char* name, const T& value) {
    json_[name] = written(value);
  }
  // Writes the member only if it differs from its default.
  template <typename T>
  void unless_default(const char* name, const T& value) {
    if (!is_default(value)) json_[name] = written(value);
  }
  void unless(const char* name, int value, int usual) {
    if (value != usual) json_[name] = value;
  }
  template <typename T>
  void since(const char* name, const T& value) {
    json_[name] = written(value);
  }
  // Writes a variant: its kName as member `kind`, the value as member `detail`.
  template <typename... T>
  void alternative(const char* kind, const char* detail, const std::variant<T...>& value) {
    std::visit(
        [&](const auto& held) {
          json_[kind] = std::decay_t<decltype(held)>::kName;
          json_[detail] = written(held);
        },
        value);
  }

  template <typename T>
  static Json written(const T& value) {
    if constexpr (HasNames<T>) {
      return name_of(value);
    } else if constexpr (IsSpelled<T>) {
      return spelled(value);
    } else if constexpr (std::is_floating_point_v<T>) {
      return std::isnan(value) ? Json() : Json(value);
    } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
      return value;
    } else if constexpr (IsOptional<T>::value) {
      return value ? written(*value) : Json();
    } else if constexpr (IsPair<T>::value) {
      return Json::array({written(value.first), written(value.second)});
    } else if constexpr (IsArray<T>::value) {
      Json array = Json::array();
      for (const auto& each : value) array.push_back(written(each));
      return array;
    } else if constexpr (IsVector<T>::value) {
      Json array = Json::array();
      for (auto&& each : value) array.push_back(written(static_cast<typename T::value_type>(each)));
      return array;
    } else {
      JsonWriter writer;
      describe(writer, const_cast<T&>(value));  // a JsonWriter does not change the value
      return std::move(writer.json_);
    }
  }

 private:
  template <typename T>
  static bool is_default(const T& value) {
    if constexpr (IsOptional<T>::value) {
      return !value;
    } else if constexpr (IsVector<T>::value || std::is_same_v<T, std::string>) {
      return value.empty();
    } else {
      return value == T{};
    }
  }

  Json json_ = Json::object();
};

class JsonReader {
 public:
  // Path of a value within the whole JSON: a linked list on the stack, innermost first.
  struct Place {
    const Place* above = nullptr;
    const char* member = nullptr;  // name in an object, or null
    size_t index = 0;              // index in an array, if `member` is null

    std::string path() const {
      if (!above) return member ? member : "";
      const std::string before = above->path();
      if (!member) return fmt::format("{}[{}]", before, index);
      return before.empty() ? member : before + "." + member;
    }
  };

  JsonReader(const Json& json, const Place& place) : json_(json), place_(place) {
    if (!json.is_object()) refuse_type(place, json, "an object");
  }

  template <typename T>
  void operator()(const char* name, T& value) {
    const auto found = json_.find(name);
    if (found == json_.end()) refuse(at(name), "is missing");
    read(*found, at(name), value);
  }
  template <typename T>
  void unless_default(const char* name, T& value) {
    if (const auto found = json_.find(name); found != json_.end()) read(*found, at(name), value);
  }
  void unless(const char* name, int& value, int /*usual*/) { unless_default(name, value); }
  template <typename... T>
  void alternative(const char* kind, const char* detail, std::variant<T...>& value) {
    std::string name;
    (*this)(kind, name);
    const bool known = (read_alternative<T>(name, detail, value) || ...);
    if (!known) refuse(at(kind), fmt::format("is '{}', which is unknown", shown(name)));
  }
  // Reads a member that older records do not have; `value` then keeps its default.
  template <typename T>
  void since(const char* name, T& value) {
    unless_default(name, value);
  }

  template <typename T>
  static void read(const Json& json, const Place& place, T& value) {
    if constexpr (HasNames<T>) {
      read_named(json, place, value);
    } else if constexpr (IsSpelled<T>) {
      read_text(json, place, value);
    } else if constexpr (std::is_same_v<T, bool>) {
      if (!json.is_boolean()) refuse_type(place, json, "true or false");
      value = json.get<bool>();
    } else if constexpr (std::is_floating_point_v<T>) {
      if (!json.is_number() && !json.is_null()) refuse_type(place, json, "a number");
      value = json.is_null() ? static_cast<T>(NAN) : json.get<T>();
    } else if constexpr (std::is_integral_v<T>) {
      read_integer(json, place, value);
    } else if constexpr (std::is_same_v<T, std::string>) {
      if (!json.is_string()) refuse_type(place, json, "a text");
      value = json.get<std::string>();
    } else if constexpr (IsOptional<T>::value) {
      if (json.is_null()) return value.reset();
      read(json, place, value.emplace());
    } else if constexpr (IsPair<T>::value) {
      if (!json.is_array() || json.size() != 2) refuse_type(place, json, "a list of two");
      read(json[0], Place{&place, nullptr, 0}, value.first);
      read(json[1], Place{&place, nullptr, 1}, value.second);
    } else if constexpr (IsArray<T>::value) {
      if (!json.is_array() || json.size() != value.size())
        refuse_type(place, json, fmt::format("a list of {}", value.size()).c_str());
      for (size_t i = 0; i < value.size(); ++i) read(json[i], Place{&place, nullptr, i}, value[i]);
    } else if constexpr (IsVector<T>::value) {
      read_array(json, place, value);
    } else {
      JsonReader reader(json, place);
      describe(reader, value);
    }
  }

  [[noreturn]] static void refuse(const Place& place, const std::string& what) {
    const std::string path = place.path();
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} {}", path.empty() ? "the record" : path, what), path);
  }
  Place at(const char* name) const { return {&place_, name, 0}; }

 private:
  template <typename T, typename Variant>
  bool read_alternative(const std::string& name, const char* detail, Variant& value) {
    if (name != T::kName) return false;
    (*this)(detail, value.template emplace<T>());
    return true;
  }
  [[noreturn]] static void refuse_type(const Place& place, const Json& json, const char* wanted) {
    refuse(place,
           fmt::format("is {}: must be {}",
                       shown(json.dump(-1, ' ', false, Json::error_handler_t::replace)), wanted));
  }
  template <typename T>
  static void read_named(const Json& json, const Place& place, T& value) {
    if (json.is_string() && read_name(json.get_ref<const std::string&>(), value)) return;
    std::string names;
    for (const auto& each : names_of(value))
      names += (names.empty() ? "" : ", ") + std::string(each.name);
    refuse_type(place, json, ("one of " + names).c_str());
  }
  template <typename T>
  static void read_text(const Json& json, const Place& place, T& value) {
    if (!json.is_string()) refuse_type(place, json, "a text");
    try {
      read_spelled(json.get_ref<const std::string&>(), value);
    } catch (const Error& error) {
      refuse(place, std::string("cannot be read: ") + error.what());
    }
  }
  template <typename T>
  static void read_integer(const Json& json, const Place& place, T& value) {
    const bool fits = json.is_number_unsigned()
                          ? std::in_range<T>(json.get<uint64_t>())
                          : json.is_number_integer() && std::in_range<T>(json.get<int64_t>());
    if (!fits) refuse_type(place, json, "an integer in range");
    value = json.get<T>();
  }
  template <typename T>
  static void read_array(const Json& json, const Place& place, std::vector<T>& values) {
    if (!json.is_array()) refuse_type(place, json, "a list");
    values.clear();
    values.reserve(json.size());
    for (size_t i = 0; i < json.size(); ++i) {
      T value{};
      read(json[i], Place{&place, nullptr, i}, value);
      values.push_back(std::move(value));
    }
  }

  const Json& json_;
  const Place& place_;
};

}  // namespace polyphon
