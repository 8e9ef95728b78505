// Runs that go on in what an earlier one left: only where it was the same run.
#pragma once

#include <string>

#include "core/json.h"

namespace polyphon {

// Throws Error{kInvalidArgument} that names the first member of `wanted` that `found`, the header
// of the `kind` of run at `path`, has otherwise. Further members of `found` do not count.
void require_same_run(const std::string& path, const std::string& kind, const Json& found,
                      const Json& wanted);

}  // namespace polyphon
