// A pass over one row of a mask, vectorised at run time. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace polyphon {

// Sets bit c of `bits` (zeroed, (cells + 63) / 64 words) where mask[c], a binary16, is not
// -infinity. Returns whether any value beside 0 and -infinity was met.
bool mask_bits(const uint16_t* mask, size_t cells, uint64_t* bits);

}  // namespace polyphon
