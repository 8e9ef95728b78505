// One row of the settings table: what a setting is called, where it may be set, and what it may be.
// The config file, the flags, the reader of requests, the HTTP client, the manual and
// GET /api/v1/settings are made from such rows. Plain; tables are built once and never change.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/json.h"

namespace polyphon {

// Where a setting may be set; a row has the sum of its scopes.
enum SettingScope : unsigned { kConfigScope = 1, kFlagScope = 2, kRequestScope = 4 };

enum class SettingType { kSwitch, kWhole, kNumber, kText, kTexts };

template <typename Target>
struct Setting {
  std::string name;  // dotted: "engine.threads", as in the config file and in requests
  unsigned scopes = 0;
  SettingType type = SettingType::kText;
  double least = 0, most = 0;              // of kWhole and kNumber
  std::vector<std::string> words;          // what a kText must be one of; empty: any text
  std::string help;                        // a noun phrase that stands alone, with its unit
  std::function<Json(const Target&)> get;  // null while nothing is set
  // A value of the type, in the range. Throws Error{kInvalidArgument} for a text that means
  // nothing.
  std::function<void(Target&, const Json&)> set;
  // A session depends on it, and its trace does not hold it.
  bool hashed = false;
  Json unset = {};              // what holds while `get` gives null
  std::string since = "0.1.0";  // the program's version that brought it

  bool in(SettingScope scope) const { return (scopes & scope) != 0; }
  Json default_value() const {
    const Json value = get(Target());
    return value.is_null() ? unset : value;
  }
  // "search.depth" -> "depth", if it stands right under "search."; else null.
  const char* name_under(const std::string& prefix) const {
    const bool under =
        name.starts_with(prefix) && name.find('.', prefix.size()) == std::string::npos;
    return under ? name.c_str() + prefix.size() : nullptr;
  }
};

template <typename Value>
constexpr SettingType setting_type() {
  if constexpr (std::is_same_v<Value, bool>) return SettingType::kSwitch;
  if constexpr (std::is_floating_point_v<Value>) return SettingType::kNumber;
  if constexpr (std::is_same_v<Value, std::string>) return SettingType::kText;
  if constexpr (std::is_same_v<Value, std::vector<std::string>>) return SettingType::kTexts;
  return SettingType::kWhole;
}

struct SettingRange {
  double least = 0, most = 0;
};

// A row whose value is the member that `member` refers to, as [](Config& c) -> int& {...}.
template <typename Target, typename Member>
Setting<Target> setting(std::string name, unsigned scopes, Member member, SettingRange range,
                        std::string help) {
  using Value = std::remove_reference_t<std::invoke_result_t<Member, Target&>>;
  Setting<Target> row;
  row.name = std::move(name);
  row.scopes = scopes;
  row.type = setting_type<Value>();
  row.least = range.least;
  row.most = range.most;
  row.help = std::move(help);
  row.get = [member](const Target& target) {
    const Value& value = member(const_cast<Target&>(target));
    if constexpr (std::is_same_v<Value, float>)
      return Json(std::stod(fmt::format("{}", value)));  // 0.8, not 0.800000011920929
    else
      return Json(value);
  };
  row.set = [member](Target& target, const Json& value) {
    member(target) = value.template get<Value>();
  };
  return row;
}

// A row whose value is written as a text that `parse` reads.
template <typename Target, typename Member, typename Parse, typename Print>
Setting<Target> text_setting(std::string name, unsigned scopes, Member member, Parse parse,
                             Print print, std::vector<std::string> words, std::string help) {
  Setting<Target> row;
  row.name = std::move(name);
  row.scopes = scopes;
  row.words = std::move(words);
  row.help = std::move(help);
  row.get = [=](const Target& target) { return Json(print(member(const_cast<Target&>(target)))); };
  row.set = [=](Target& target, const Json& value) {
    member(target) = parse(value.template get<std::string>());
  };
  return row;
}

// The same row for what holds an Inner.
template <typename Target, typename Inner, typename Member>
Setting<Target> setting_within(const std::string& prefix, Member member,
                               const Setting<Inner>& inner) {
  Setting<Target> row{prefix + inner.name, inner.scopes, inner.type, inner.least, inner.most,
                      inner.words,         inner.help,   {},         {},          inner.hashed,
                      inner.unset,         inner.since};
  row.get = [member, get = inner.get](const Target& target) {
    return get(member(const_cast<Target&>(target)));
  };
  row.set = [member, set = inner.set](Target& target, const Json& value) {
    set(member(target), value);
  };
  return row;
}

}  // namespace polyphon
