#include "head_trainer/trace_counter.h"

#include <unistd.h>

#include <cstdio>

namespace polyphon {

TraceCounter::TraceCounter() : screen_(isatty(STDERR_FILENO) != 0) {}

TraceCounter::~TraceCounter() {
  if (screen_) std::fputs("\r\033[K", stderr);
}

void TraceCounter::show(int done) const {
  if (screen_ || done % 50 == 0)
    std::fprintf(stderr, screen_ ? "\r%d traces\033[K" : "%d traces\n", done);
}

}  // namespace polyphon
