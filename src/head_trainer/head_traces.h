// The traces that heads may learn from: those of one model and one version, whose states the
// trainer can compute.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "head_trainer/head_examples.h"
#include "tensors/head_options.h"

namespace polyphon {

// One forward pass a trace; `on_trace` hears how many there were. Traces of another model or
// version, and damaged lines, are left out, counted in HeadData::found, the first one named. Throws
// Error as its parts do; {kInvalidArgument} with what was found when no trace is left.
HeadData compute_head_data(const HeadTraces& from, const std::string& model_digest,
                           const std::function<void(int)>& on_trace);

// The same data have the same key.
std::string head_data_key(const HeadTraces& from, const std::string& model_digest);

}  // namespace polyphon
