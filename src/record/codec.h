// The JSON form of records: in files, in stores, on the wire. Format 2 is written; format 1 is read
// too (record/format_1.h).
#pragma once

#include "core/json.h"
#include "record/trace.h"

namespace polyphon {

Json to_json(const Trace& trace);
Json to_json(const TraceDecision& decision);  // {"step", "kind", "detail"}
Json to_json(const SpanOwner& owner);
Json to_json(const ThinkRequest& request);
Json to_json(const SearchRequest& request);
Json to_json(const MemoryRequest& request);
Json to_json(const SessionResult& result);
Json to_json(const SearchReport& report);
Json to_json(const Timings& timings);
Json to_json(const Outcome& outcome);
// The answer's "polyphon" object: the result but for the answer's text, with the decisions, and the
// promotions that were carried out.
Json polyphon_object(const Trace& trace);

// Each throws Error{kInvalidArgument} that names the member at fault and what was expected of it:
// "spans[3].begin is missing", "edits[7].kind is 'opn': must be open, join, drop, place or close".
Trace trace_from_json(const Json& json);
SessionResult session_result_from_json(const Json& json);
Outcome outcome_from_json(const Json& json);

}  // namespace polyphon
