// What the machine's memory gives, for benchmarks to compare with.
#pragma once

namespace polyphon {

// Bytes a second that `threads` threads (0: one a core) read together from a buffer larger than
// most caches: the best of several passes. Blocks for about a second.
double read_bandwidth(int threads);

}  // namespace polyphon
