// Cells that will be wanted soon. Each is a line or a few, far from the next one, so the hardware
// does not guess them; the kernels ask for some at every turn of their loops.
#pragma once

#include <hwy/cache_control.h>

#include <algorithm>
#include <cstddef>

namespace polyphon {

struct CellsAhead {
  const std::byte* const* cells = nullptr;
  size_t count = 0, bytes = 0;

  HWY_INLINE void fetch(size_t begin, size_t end) const {
    for (size_t c = begin; c < std::min(end, count); ++c)
      for (size_t i = 0; i < bytes; i += 64) hwy::Prefetch(cells[c] + i);
  }
};

}  // namespace polyphon
