// How much memory this process may still take, so that too big a model or context is refused in one
// line instead of by the kernel's OOM killer: Linux grants what it does not have. Any thread.
#pragma once

#include <cstdint>
#include <string>

namespace polyphon {

// Bytes, the smaller of what the machine has and what the control group (v1 or v2) leaves; the
// greatest number where neither can be read.
uint64_t available_memory();

// "1.5 GiB", "22.5 MiB".
std::string memory_text(uint64_t bytes);

}  // namespace polyphon
