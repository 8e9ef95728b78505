// What a program asks of its own process.
#pragma once

#include <cstdint>

namespace polyphon {

// libgomp's threads spin at a barrier for milliseconds before they sleep, and while one spins the
// one it waits for may have no core: beside another busy process a decode was 5 to 8 times slower.
// It reads the limit when it is loaded, so the program starts itself once more, as the same
// process. First thing in main(); does nothing where the environment says how to wait.
void limit_spinning(char** argv);

// The most that the process has held, in KiB; 0 where the system does not say.
int64_t peak_memory_kib();

}  // namespace polyphon
