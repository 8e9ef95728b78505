// Files that come with the program: the model catalogue, suites of problems.
#pragma once

#include <string>

namespace polyphon {

// The file or folder `name` of the program's share folder. It is looked for from the program's own
// place: PREFIX/share/polyphon of PREFIX/bin/polyphon, share/ of a checkout whose build folder
// holds the program. Throws Error when neither has it.
std::string share_path(const std::string& name);

}  // namespace polyphon
