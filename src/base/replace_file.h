// Writes a whole file beside its place and renames it: a reader, or the run after a kill, sees the
// old file or the new one.
#pragma once

#include <functional>
#include <ostream>
#include <string>

namespace polyphon {

// Throws Error{kInternal} when the file cannot be written whole, and leaves the old one; what
// `write` throws passes through.
void replace_file(const std::string& path, const std::function<void(std::ostream&)>& write);

}  // namespace polyphon
