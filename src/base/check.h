// CHECK ends the process on a programmer's fault, in every build; DCHECK only where NDEBUG is not
// set. Bad input is never a CHECK: it is an Error.
#pragma once

namespace polyphon::internal {
[[noreturn]] void check_failed(const char* file, int line, const char* condition);
}

#define POLYPHON_CHECK(condition) \
  ((condition) ? void(0) : ::polyphon::internal::check_failed(__FILE__, __LINE__, #condition))

#ifdef NDEBUG
#define POLYPHON_DCHECK(condition) void(sizeof(condition))
#else
#define POLYPHON_DCHECK(condition) POLYPHON_CHECK(condition)
#endif
