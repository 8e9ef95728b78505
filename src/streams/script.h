// Scripts: fixed words that streams say instead of sampling (teacher forcing), for tests and
// benchmarks that need given words in a thinking session.
#pragma once

#include <memory>

#include "model/grammar.h"

namespace polyphon {

// A grammar that allows only the script's tokens, one after the other. kNoToken in the script, and
// its end, allow any token.
std::unique_ptr<Grammar> make_script(Tokens script);

}  // namespace polyphon
