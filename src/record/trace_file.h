// Traces as JSON lines.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "record/trace.h"

namespace polyphon {

// append throws Error{kInternal} when the lines cannot be written whole (disk full); read throws
// Error{kNotFound}, or Error{kInvalidArgument} with the line and the member at fault.
void append_trace(const std::string& path, const Trace& trace);
void append_traces(const std::string& path, std::span<const Trace> traces);  // all or none
std::vector<Trace> read_traces(const std::string& path);

}  // namespace polyphon
