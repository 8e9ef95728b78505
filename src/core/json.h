// The JSON types. One place, so that a change of library touches one file.
#pragma once

#include <nlohmann/json.hpp>

namespace polyphon {

using Json = nlohmann::json;
// Keeps the members of an object in the order of the text: where the order means something to a
// model, as in a schema. Looking a member up takes time in proportion to their number.
using OrderedJson = nlohmann::ordered_json;

}  // namespace polyphon
