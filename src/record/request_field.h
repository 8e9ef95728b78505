// Numbers of a request's object, each with its name and bounds in one line of a table: the trace
// and the check of bounds are made from it, and the rows of the settings table
// (streams/think_settings) for those that a user may set.
#pragma once

#include <fmt/format.h>

#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "core/json.h"
#include "core/setting.h"

namespace polyphon {

template <typename Request>
struct RequestField {
  const char* name;
  std::variant<int Request::*, double Request::*> member;
  double least;
  double most;
  unsigned scopes = 0;    // SettingScope; 0: a constant that traces hold
  const char* help = "";  // of the settings table
};

// The rows of what may be set, with names under `prefix`.
template <typename Request>
void add_settings(std::span<const RequestField<Request>> fields, const std::string& prefix,
                  std::vector<Setting<Request>>& rows) {
  for (const RequestField<Request>& field : fields) {
    if (field.scopes == 0) continue;
    rows.push_back(std::visit(
        [&](auto member) {
          return setting<Request>(
              prefix + field.name, field.scopes,
              [member](Request& request) -> auto& { return request.*member; },
              {field.least, field.most}, field.help);
        },
        field.member));
  }
}

// Throws Error{kInvalidArgument} that names the field of the request's polyphon.`object`.
template <typename Request>
void check_bounds(std::span<const RequestField<Request>> fields, const Request& request,
                  const std::string& object) {
  for (const RequestField<Request>& field : fields) {
    const double value =
        std::visit([&](auto member) { return static_cast<double>(request.*member); }, field.member);
    if (value >= field.least && value <= field.most) continue;
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{}.{} is {}: must be {} to {}", object, field.name, value, field.least,
                            field.most),
                fmt::format("polyphon.{}.{}", object, field.name));
  }
}

template <typename Request>
void fields_to_json(std::span<const RequestField<Request>> fields, const Request& request,
                    Json& json) {
  for (const RequestField<Request>& field : fields)
    std::visit([&](auto member) { json[field.name] = request.*member; }, field.member);
}

}  // namespace polyphon
