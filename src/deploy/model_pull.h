// Fetching a model of the catalogue.
#pragma once

#include <string>

namespace polyphon {

// Fetches the model of that name with progress on standard error. Blocks; the exit code of the
// fetching program. Throws Error{kInternal} when it cannot be started.
int pull_model(const std::string& name);

}  // namespace polyphon
