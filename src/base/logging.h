// The program's log: spdlog to standard error, so that standard output stays the user's.
#pragma once

#include <string>

namespace polyphon {

// "trace", "debug", "info", "warn", "error" or "off". Throws Error{kInvalidArgument} otherwise.
void init_logging(const std::string& level);

}  // namespace polyphon
