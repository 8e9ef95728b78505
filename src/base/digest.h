// SHA-256 as lower-case hex, of bytes or of a file.
#pragma once

#include <string>
#include <string_view>

namespace polyphon {

std::string sha256(std::string_view bytes);

// Reads the whole file. Throws Error{kNotFound} when it cannot be read.
std::string sha256_file(const std::string& path);

}  // namespace polyphon
