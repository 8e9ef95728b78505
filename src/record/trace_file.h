// Reads and appends files of traces: one JSON object a line. Blocks on the file; any thread.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "record/trace.h"

namespace polyphon {

// append_trace() and append_traces() throw Error{kInternal} if the lines cannot be written
// completely (disk full); the file then keeps none of them. read_traces() throws Error{kNotFound}
// if the file cannot be opened, or Error{kInvalidArgument} that names the line and the wrong
// member.
void append_trace(const std::string& path, const Trace& trace);
void append_traces(const std::string& path, std::span<const Trace> traces);  // all or none
std::vector<Trace> read_traces(const std::string& path);

}  // namespace polyphon
