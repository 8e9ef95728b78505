// Fetching a model of the catalogue: when asked to, and as an offer when it is missing.
#pragma once

#include <string>

namespace polyphon {

// Fetches the model of that name with progress on standard error. Blocks; the exit code of the
// fetching program. Throws Error{kInternal} when it cannot be started.
int pull_model(const std::string& name);

// When the model that is meant (a name, a path, or empty for the default) is in the catalogue but
// not on this machine, and a person sits at the terminal: says so, asks, and fetches it. Does
// nothing otherwise; loading then says which command fetches it. Throws Error{kNotFound} for a
// fetch that failed, and as pull_model().
void offer_model(const std::string& model);

}  // namespace polyphon
