// What streams say instead of what they would sample, token by token: for tests and benchmarks that
// must put given words into a thinking session (teacher forcing).
#pragma once

#include <memory>

#include "model/grammar.h"

namespace polyphon {

// Allows the script's tokens one after the other; where it has kNoToken, and after its end, any.
std::unique_ptr<Grammar> make_script(Tokens script);

}  // namespace polyphon
