// The machine's own clock, for tests whose outcome depends on no time.
#pragma once

#include "base/clock.h"

namespace polyphon {

inline const SteadyClock kClock;

}  // namespace polyphon
