// The units every layer counts in.
#pragma once

#include <cstdint>
#include <vector>

namespace polyphon {

using Token = int32_t;     // index into the model's vocabulary
using Position = int32_t;  // RoPE position of a cell, from 0
using Step =
    int64_t;  // number of a decode within one session, from 0: orders what positions do not

using Tokens = std::vector<Token>;

inline constexpr Token kNoToken = -1;

}  // namespace polyphon
