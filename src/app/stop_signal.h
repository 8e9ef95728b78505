// Ctrl-C and SIGTERM for work that can stop half-way and keep what it has.
#pragma once

#include <atomic>

namespace polyphon {

// From now on the first SIGINT or SIGTERM sets the flag and says on standard error that what runs
// ends; the second one ends the process at once. Main thread.
const std::atomic<bool>& stop_on_signals();

}  // namespace polyphon
