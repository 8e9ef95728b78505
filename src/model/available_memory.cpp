#include "model/available_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <limits>

namespace polyphon {
namespace {

constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();

uint64_t read_number(const std::string& path, uint64_t otherwise) {
  std::ifstream file(path);
  uint64_t number = 0;
  return file >> number ? number : otherwise;  // "max" of version 2 is no number
}

uint64_t left_in_group(const std::string& limit_path, const std::string& usage_path) {
  const uint64_t limit = read_number(limit_path, kUnlimited);
  if (limit == kUnlimited) return kUnlimited;
  const uint64_t used = read_number(usage_path, 0);
  return limit > used ? limit - used : 0;
}

uint64_t left_on_machine() {
  std::ifstream file("/proc/meminfo");
  for (std::string name; file >> name;) {
    uint64_t kibibytes = 0;
    if (name == "MemAvailable:" && file >> kibibytes) return kibibytes * 1024;
    std::getline(file, name);
  }
  return kUnlimited;
}

}  // namespace

uint64_t available_memory() {
  const std::string root = "/sys/fs/cgroup/";
  return std::min({left_on_machine(), left_in_group(root + "memory.max", root + "memory.current"),
                   left_in_group(root + "memory/memory.limit_in_bytes",
                                 root + "memory/memory.usage_in_bytes")});
}

std::string memory_text(uint64_t bytes) {
  const double mebibytes = static_cast<double>(bytes) / (1 << 20);
  return mebibytes < 1024 ? fmt::format("{:.1f} MiB", mebibytes)
                          : fmt::format("{:.1f} GiB", mebibytes / 1024);
}

}  // namespace polyphon
