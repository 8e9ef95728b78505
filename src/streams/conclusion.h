#pragma once

#include <optional>

#include "streams/candidate.h"
#include "streams/stream.h"
#include "streams/think_context.h"

namespace polyphon {

// The conclusion of a stream that has ended and whose tokens are all decoded: its last tokens,
// starting with the sentence that gives its answer. None if the stream has no answer. Decode thread
// only.
std::optional<Candidate> conclusion_candidate(const Stream& stream, const ThinkContext& context);

}  // namespace polyphon
