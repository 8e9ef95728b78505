#include "base/huge_pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace polyphon {
namespace {

constexpr int kCollapse = 25;  // MADV_COLLAPSE of Linux 6.1, which glibc 2.36 does not name

// Asks for the whole pages within [begin, begin + size).
void advise(void* begin, size_t size, int advice) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t from = (reinterpret_cast<uintptr_t>(begin) + page - 1) / page * page;
  const uintptr_t to = (reinterpret_cast<uintptr_t>(begin) + size) / page * page;
  if (from < to) madvise(reinterpret_cast<void*>(from), to - from, advice);
}

}  // namespace

void wish_for_huge_pages(void* begin, size_t size) { advise(begin, size, MADV_HUGEPAGE); }

void move_to_huge_pages(void* begin, size_t size) {
  wish_for_huge_pages(begin, size);
  advise(begin, size, kCollapse);
}

}  // namespace polyphon
