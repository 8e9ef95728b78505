// Checks that a run that continues an earlier one has the same settings.
#pragma once

#include <string>

#include "core/json.h"

namespace polyphon {

// `found` is the header of the `kind` of run at `path`. Throws Error{kInvalidArgument} that names
// the first member of `wanted` with another value in `found`. Extra members of `found` are ignored.
void require_same_run(const std::string& path, const std::string& kind, const Json& found,
                      const Json& wanted);

}  // namespace polyphon
