#include "simd/aligned_array.h"

#include <hwy/aligned_allocator.h>

#include <new>

namespace polyphon {

void* allocate_aligned(size_t bytes) {
  void* const memory = hwy::AllocateAlignedBytes(bytes, nullptr, nullptr);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void FreeAligned::operator()(void* memory) const {
  hwy::FreeAlignedBytes(memory, nullptr, nullptr);
}

}  // namespace polyphon
