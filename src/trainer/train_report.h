// A training run for people: what its progress lines (train.h) say. Pure; any thread.
#pragma once

#include <string>

#include "core/json.h"
#include "trainer/train.h"

namespace polyphon {

// One progress line as whole lines of text.
std::string describe_step(const Json& line);

// How the run ended: where to go on from a stopped one, or which step's adapter was kept. `last` is
// the last progress line, null when no step was done. Empty when there is nothing to say.
std::string describe_outcome(TrainOutcome outcome, const TrainOptions& options, const Json& last);

}  // namespace polyphon
