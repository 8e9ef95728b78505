#include "deploy/share_folder.h"

#include <filesystem>

#include "base/error.h"

namespace polyphon {

std::string share_path(const std::string& name) {
  namespace fs = std::filesystem;
  const fs::path program = fs::read_symlink("/proc/self/exe");
  std::string tried;
  for (const char* share : {"../share/polyphon", "../../share/polyphon", "../../share"}) {
    const fs::path path = (program.parent_path() / share / name).lexically_normal();
    if (fs::exists(path)) return path;
    tried += (tried.empty() ? "" : ", ") + path.string();
  }
  throw Error(ErrorCode::kNotFound,
              "the program's file " + name + " is missing; looked for " + tried +
                  ": install Polyphon again, or run the program of a checkout");
}

}  // namespace polyphon
