// What the heads learn from as a file, so that they can be fitted again without the forward passes.
#pragma once

#include <optional>
#include <string>

#include "head_trainer/head_examples.h"

namespace polyphon {

// `key` says what the data were made of. Throws Error{kInternal}.
void write_head_data(const std::string& path, const HeadData& data, const std::string& key);

// None when there is no such file, or one of another key.
std::optional<HeadData> read_head_data(const std::string& path, const std::string& key);

}  // namespace polyphon
