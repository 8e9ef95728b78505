#pragma once

#include <optional>

#include "streams/candidate.h"
#include "streams/stream.h"
#include "streams/think_context.h"

namespace polyphon {

// The conclusion of a stream that has ended and is decoded: the last of its tokens that hold the
// sentence with its answer. Nothing when it states none. Decode thread only.
std::optional<Candidate> conclusion_candidate(const Stream& stream, const ThinkContext& context);

}  // namespace polyphon
