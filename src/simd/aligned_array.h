// Memory whose start is aligned for the vectors of any CPU. Not for two threads at once.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>

namespace polyphon {

// Throws std::bad_alloc.
void* allocate_aligned(size_t bytes);

struct FreeAligned {
  void operator()(void* memory) const;
};

template <typename T>
class AlignedArray {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  // Room for `size` elements at least. Contents do not survive growth.
  T* reserve(size_t size) {
    if (size > size_) {
      data_.reset(static_cast<T*>(allocate_aligned(size * sizeof(T))));
      size_ = size;
    }
    return data_.get();
  }
  T* data() const { return data_.get(); }

 private:
  std::unique_ptr<T[], FreeAligned> data_;
  size_t size_ = 0;
};

}  // namespace polyphon
