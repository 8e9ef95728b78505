// Brings a GGUF tensor's rows into the order of simd/packed_weights.h. Pure; any thread.
#pragma once

#include <cstddef>

#include "simd/packed_weights.h"

namespace polyphon {

// Packs panels [begin, end) of a matrix in GGUF's layout into `to`, the start of panel 0.
void pack_panels(const PackedWeights& shape, const void* from, int begin, int end, std::byte* to);

}  // namespace polyphon
