// Room for code that recurses once for each byte of its input, as std::regex does.
#pragma once

#include <cstddef>
#include <functional>

namespace polyphon {

// Calls `function` on a thread of its own with a stack of at least `bytes`, and waits for it. Pages
// of the stack that are not touched cost no memory. What `function` throws is thrown here; so is
// std::system_error when there is no such thread to be had.
void call_on_deep_stack(size_t bytes, const std::function<void()>& function);

}  // namespace polyphon
