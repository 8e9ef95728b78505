// Parses JSON whose members keep their order.
#pragma once

#include <string_view>

#include "core/json.h"

namespace polyphon {

// In time linear in the text: nlohmann's own parser looks every key up among those before it, so
// that an object of a million members would take minutes. Of a key that comes twice, the last value
// counts. Throws Error{kInvalidArgument} whose message continues "the body ...": "is not valid
// JSON: ...", "nests more than N levels deep".
OrderedJson parse_ordered(std::string_view text, int most_levels);

}  // namespace polyphon
