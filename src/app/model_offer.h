// The offer to fetch a model of the catalogue that is missing.
#pragma once

#include <string>

namespace polyphon {

// When the model that is meant (a name, a path, or empty for the default) is in the catalogue but
// not on this machine, and a person sits at the terminal: says so, asks, and fetches it. Does
// nothing otherwise; loading then says which command fetches it. Throws Error{kNotFound} for a
// fetch that failed, and as pull_model().
void offer_model(const std::string& model);

}  // namespace polyphon
