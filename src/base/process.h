// What a program asks of its own process.
#pragma once

#include <cstdint>
#include <string>

namespace polyphon {

// libgomp's threads spin at a barrier for milliseconds before they sleep, and while one spins the
// one it waits for may have no core: beside another busy process a decode was 5 to 8 times slower.
// It reads the limit when it is loaded, so the program starts itself once more, as the same
// process. First thing in main(); does nothing where the environment says how to wait.
void limit_spinning(char** argv);

// The most that the process has held, in KiB; 0 where the system does not say.
int64_t peak_memory_kib();

// Bytes that the process may still take: what the machine has free or can free at once, or what the
// limit of a cgroup above the process leaves, if that is less. The largest number where the system
// does not say. Folders are parameters for tests.
int64_t available_memory(const std::string& proc = "/proc",
                         const std::string& cgroups = "/sys/fs/cgroup");

// "1.5 GiB", "22.5 MiB".
std::string memory_text(uint64_t bytes);

}  // namespace polyphon
