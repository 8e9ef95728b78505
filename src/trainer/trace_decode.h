// Decodes a recorded session's tokens again, with the views that its trace gives them, and shows
// every row's logits and state: what the engine computes, to hold the trainer's forward pass to.
// Unlike replay nothing is sampled and no policy runs. Thread: the decoder's.
#pragma once

#include <functional>
#include <span>

#include "model/decoder.h"
#include "record/trace.h"
#include "record/trace_layout.h"

namespace polyphon {

// `rows`: of the layout, in the order in which the decoder has just decoded them; its logits(i) and
// hidden(i) are those of rows[i].
using OnDecoded = std::function<void(std::span<const int> rows, Decoder& decoder)>;

// `layout` is lay_out(trace, anchor). Rows of an anchor and placed rows are not shown: their keys
// and values alone matter. Throws Error{kInvalidArgument} when the trace does not fit the decoder.
void decode_trace(const Trace& trace, const TraceLayout& layout, const Tokens& anchor,
                  Decoder& decoder, const OnDecoded& on_decoded);

}  // namespace polyphon
