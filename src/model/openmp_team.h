// The OpenMP threads that ggml's CPU kernels leave behind in a thread that computed.
#pragma once

namespace polyphon {

// Ends the calling thread's team; the next parallel region starts it again. To be called by a
// thread that has computed and will not do so again soon, outside any parallel region. libgomp
// counts the threads of all teams, and while there are more than cores, its barriers sleep after a
// microsecond instead of spinning: a team that only loaded weights makes each of the decode
// thread's hundreds of barriers a step two system calls.
void release_openmp_team();

}  // namespace polyphon
