// What is wrong with a file of JSON, in words for the person who gave the file.
#pragma once

#include <string>

#include "core/json.h"

namespace polyphon {

// "it is not JSON", "the member 'spans' is missing", "a value is a string instead of a number". The
// library's own text has numbers of its exceptions, which mean nothing to that person.
std::string json_fault(const Json::exception& error);

}  // namespace polyphon
