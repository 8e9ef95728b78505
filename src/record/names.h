// Names of enumeration values in records and on the wire. An enumeration with names declares a
// function names_of() beside itself.
#pragma once

#include <span>
#include <string_view>
#include <type_traits>

namespace polyphon {

template <typename E>
struct EnumName {
  E value;
  const char* name;
};

template <typename E>
concept HasNames = std::is_enum_v<E> && requires(E value) { names_of(value).begin(); };

// Returns "" for a value without a name.
template <HasNames E>
const char* name_of(E value) {
  for (const EnumName<E>& each : names_of(value))
    if (each.value == value) return each.name;
  return "";
}

// Returns false and leaves `value` unchanged if no value has this name.
template <HasNames E>
bool read_name(std::string_view name, E& value) {
  for (const EnumName<E>& each : names_of(value)) {
    if (each.name != name) continue;
    value = each.value;
    return true;
  }
  return false;
}

}  // namespace polyphon
