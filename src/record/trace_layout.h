// A trace as one sequence of tokens for the trainer: every cell of the session once, in the order
// in which they came to be, with its own position and with what it saw. Plain state.
#pragma once

#include <vector>

#include "record/trace.h"
#include "record/visibility.h"

namespace polyphon {

struct TraceLayout {
  Tokens tokens;                    // [rows]
  std::vector<Position> positions;  // [rows], of RoPE; those of different sequences overlap
  Visibility visibility;            // [rows, rows]; a row sees itself and earlier rows only
  std::vector<int> spans;           // [rows], in Trace::spans; -1: of an anchor, in no span
  std::vector<int> indices;         // [rows], in the span
  std::vector<bool> placed;         // [rows]: from a copy, not decoded in the session
  // [rows]: the row whose state the token was predicted from; -1: the first of its sequence.
  std::vector<int> predictors;
  std::vector<std::vector<int>> row_of;  // [spans][tokens of the span]

  int rows() const { return static_cast<int>(tokens.size()); }
};

// `anchor`: what stood before memory's nodes when they were decoded (memory/node_cells.h). Throws
// Error{kInvalidArgument} when the trace contradicts itself.
TraceLayout lay_out(const Trace& trace, const Tokens& anchor = {});

// The row that a span's token was sampled from, whose state is what a head was given: -1 where that
// row was fed, since it was prefilled without a state.
int state_row(const Trace& trace, const TraceLayout& layout, int span, int index);

}  // namespace polyphon
