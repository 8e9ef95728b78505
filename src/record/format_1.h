// Traces of format 1, which said less: owners were texts, and what a promotion was had to be found
// from the views that it changed.
#pragma once

#include "core/json.h"
#include "record/trace.h"

namespace polyphon {

// Owners of spans become objects. What cannot be read stays as it is.
void upgrade_format_1(Json& json);
// Adds the promotions' decisions, and their numbers to the edits that carried them out. A promotion
// whose traces are not found gets none.
void upgrade_format_1(Trace& trace);

}  // namespace polyphon
