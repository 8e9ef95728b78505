// Upgrades traces of format 1 to format 2. Format 1 wrote owners as text and did not record
// promotions as decisions: they are inferred from the edits of the views.
#pragma once

#include "core/json.h"
#include "record/trace.h"

namespace polyphon {

// Turns the owners of spans from texts into objects. Leaves an owner that cannot be parsed as it
// is, so that the reader of format 2 refuses it and names the place.
void upgrade_format_1(Json& json);
// Adds a PromotionDecision for each broadcast and numbers the edits that carried it out. A
// broadcast whose gate decision or tokens are not in the trace gets no decision.
void upgrade_format_1(Trace& trace);

}  // namespace polyphon
