#include "trainer/progress_file.h"

#include <fstream>

#include "base/error.h"
#include "base/replace_file.h"

namespace polyphon {

void ProgressFile::keep_steps_up_to(int64_t step) const {
  std::ifstream old(path_);
  if (!old) return;
  std::string kept, line;
  while (std::getline(old, line)) {
    // A line that a killed process left half written is of a step to be done again.
    const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (json.is_object() && json.value("step", step + 1) <= step) kept += line + "\n";
  }
  old.close();
  replace_file(path_, [&](std::ostream& file) { file << kept; });
}

void ProgressFile::append(const nlohmann::json& line) const {
  if (!(std::ofstream(path_, std::ios::app) << line.dump() << "\n" << std::flush))
    throw Error(ErrorCode::kInternal, "cannot write " + path_ + ": is the disk full?");
}

}  // namespace polyphon
