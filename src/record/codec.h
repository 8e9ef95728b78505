// Converts records to and from JSON: the same form for files, stores and the wire. Writes format 2;
// also reads format 1 (record/format_1.h). Pure functions, callable from any thread.
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
// The "polyphon" object of an answer: the session's result without the answer's text, plus all
// decisions and the promotions that were carried out.
Json polyphon_object(const Trace& trace);

// Each function throws Error{kInvalidArgument} if a member is missing or wrong. The message names
// the member and what was expected: "spans[3].begin is missing", "edits[7].kind is 'opn': must be
// open, join, drop, place or close".
Trace trace_from_json(const Json& json);
SessionResult session_result_from_json(const Json& json);
Outcome outcome_from_json(const Json& json);

}  // namespace polyphon
