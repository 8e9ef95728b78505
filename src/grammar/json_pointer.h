// JSON pointers in a URI fragment (RFC 6901), as "#/properties/a~1b". Pure.
#pragma once

#include <string>
#include <string_view>

#include "core/json.h"

namespace polyphon {

// A member's name as it stands in a pointer.
std::string json_pointer_segment(const std::string& name);

std::string json_pointer_child(const std::string& pointer, const std::string& name);
std::string json_pointer_child(const std::string& pointer, size_t index);

// The part of the document, or null. `pointer` begins with '#'.
const OrderedJson* at_json_pointer(const OrderedJson& document, std::string_view pointer);

}  // namespace polyphon
