// Sentences that say nothing worth keeping: what stands between and around facts when memory is
// measured or learns. Deterministic by `random`.
#pragma once

#include <string>

#include "base/random.h"

namespace polyphon {

// "The baker carried an old clock behind the church."
std::string filler_sentence(Random& random);

}  // namespace polyphon
