// progress.jsonl: one object a step, appended as steps are done. A resumed run first takes out the
// steps that its checkpoint does not hold, so that the file is always the curve of one run.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace polyphon {

class ProgressFile {
 public:
  explicit ProgressFile(std::string path) : path_(std::move(path)) {}

  void keep_steps_up_to(int64_t step) const;
  // Throws Error{kInternal} when the line cannot be written.
  void append(const nlohmann::json& line) const;

 private:
  const std::string path_;
};

}  // namespace polyphon
