#include "base/replace_file.h"

#include <cstdio>
#include <fstream>

#include "base/error.h"

namespace polyphon {

void replace_file(const std::string& path, const std::function<void(std::ostream&)>& write) {
  const std::string fresh = path + ".new";
  std::ofstream file(fresh, std::ios::trunc);
  write(file);
  file.close();
  if (!file || std::rename(fresh.c_str(), path.c_str()) != 0) {
    std::remove(fresh.c_str());
    throw Error(ErrorCode::kInternal, "cannot write " + path + ": is the disk full?");
  }
}

}  // namespace polyphon
