// The program's log: spdlog to standard error, so that standard output stays the user's. A record
// is one line, whatever text it repeats: control characters are escaped, and a long one is cut.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

namespace polyphon {

// "trace", "debug", "info", "warn", "error" or "off". Throws Error{kInvalidArgument} otherwise.
void init_logging(const std::string& level);

// While it lives, what libraries print to C's stderr goes to the log: a line is a warning, a few a
// second; the others are counted. The log itself and std::cerr write where they did. One at a time.
class StrayOutput {
 public:
  StrayOutput();
  ~StrayOutput();
  StrayOutput(const StrayOutput&) = delete;
  StrayOutput& operator=(const StrayOutput&) = delete;

 private:
  class Lines;
  std::unique_ptr<Lines> lines_;
  std::FILE* stream_;
  std::FILE* const original_;
};

}  // namespace polyphon
