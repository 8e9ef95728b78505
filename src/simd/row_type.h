// Numbers that the rows of a layer are kept in. They are summed in float, those of kDouble, which
// only gradient tests use, in double: the "sum type".
#pragma once

#include <cstddef>
#include <cstdint>

namespace polyphon {

enum class RowType { kBfloat16, kFloat, kDouble };

}  // namespace polyphon
