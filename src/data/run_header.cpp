#include "data/run_header.h"

#include <fmt/format.h>

#include "base/error.h"

namespace polyphon {

void require_same_run(const std::string& path, const std::string& kind, const Json& found,
                      const Json& wanted) {
  for (const auto& [key, value] : wanted.items())
    if (found.value(key, Json()) != value)
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("{} holds another {}: its {} is {}, not {}", path, kind, key,
                              found.value(key, Json()).dump(), value.dump()));
}

}  // namespace polyphon
