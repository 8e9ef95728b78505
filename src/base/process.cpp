#include "base/process.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

namespace polyphon {
namespace {

// The number after `word`, or the file's first where that is empty.
std::optional<int64_t> number_in(const std::string& path, const std::string& word) {
  std::ifstream file(path);
  int64_t number = 0;
  if (word.empty()) return file >> number ? std::optional(number) : std::nullopt;
  for (std::string each; file >> each;)
    if (each == word && file >> number) return number;
  return std::nullopt;
}

// What is left of one cgroup's limit. Pages of files that were read count as used, but give way.
std::optional<int64_t> left_of(const std::string& folder, const char* limit_file,
                               const char* usage_file, const char* file_pages) {
  const auto limit = number_in(folder + limit_file, "");  // none where it says "max"
  const auto usage = number_in(folder + usage_file, "");
  if (!limit || !usage) return std::nullopt;
  return *limit - *usage + number_in(folder + "/memory.stat", file_pages).value_or(0);
}

}  // namespace

void limit_spinning(char** argv) {
  if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY")) return;
  setenv("GOMP_SPINCOUNT", "3000", 1);
  execv("/proc/self/exe", argv);  // where that cannot be, all goes on as it was
}

int64_t peak_memory_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (int64_t kib = 0; word == "VmHWM:" && status >> kib) return kib;
  return 0;
}

int64_t available_memory(const std::string& proc, const std::string& cgroups) {
  int64_t least = std::numeric_limits<int64_t>::max();
  if (const auto kib = number_in(proc + "/meminfo", "MemAvailable:")) least = *kib * 1024;
  // A line is number:controllers:path; version 2 has no controllers.
  std::ifstream groups(proc + "/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool unified = controllers.empty();
    if (!unified && controllers != "memory") continue;
    const std::string root = cgroups + (unified ? "" : "/memory");
    for (std::filesystem::path path = line.substr(second + 1); !path.empty();
         path = path.has_relative_path() ? path.parent_path() : std::filesystem::path()) {
      const std::string folder = root + path.string();
      const auto left = unified ? left_of(folder, "/memory.max", "/memory.current", "inactive_file")
                                : left_of(folder, "/memory.limit_in_bytes",
                                          "/memory.usage_in_bytes", "total_inactive_file");
      if (left) least = std::min(least, std::max<int64_t>(0, *left));
    }
  }
  return least;
}

std::string memory_text(uint64_t bytes) {
  const double mebibytes = static_cast<double>(bytes) / (1 << 20);
  return mebibytes < 1024 ? fmt::format("{:.1f} MiB", mebibytes)
                          : fmt::format("{:.1f} GiB", mebibytes / 1024);
}

}  // namespace polyphon
