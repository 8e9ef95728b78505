// Huge pages for memory that is read in long walks at every step, which in pages of 4 KiB wait for
// page tables: more so on a virtual machine, whose tables are walked in two dimensions. Only
// wishes; nothing is wrong when they are not granted. Any thread.
#pragma once

#include <cstddef>

namespace polyphon {

// For memory that is still to be touched.
void wish_for_huge_pages(void* begin, size_t size);

// For memory that has been touched: blocks while it is moved, about 0.3 ms a MiB.
void move_to_huge_pages(void* begin, size_t size);

}  // namespace polyphon
