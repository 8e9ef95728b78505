// Lays out a trace as one sequence of rows for the trainer: each cell of the session is one row, in
// the order of computation, with its position and the rows that it saw. Plain data; pure functions.
#pragma once

#include <vector>

#include "record/trace.h"
#include "record/visibility.h"

namespace polyphon {

struct TraceLayout {
  Tokens tokens;  // [rows]
  // [rows], for RoPE; different sequences may use the same positions.
  std::vector<Position> positions;
  Visibility visibility;     // [rows, rows]; a row sees only itself and earlier rows
  std::vector<int> spans;    // [rows], index into Trace::spans; -1: a row of the anchor
  std::vector<int> indices;  // [rows], index into the span's tokens
  std::vector<bool> placed;  // [rows], true if the cell was copied, not decoded in the session
  // [rows]: the row from whose state the token was predicted; -1 for the first of a sequence.
  std::vector<int> predictors;
  std::vector<std::vector<int>> row_of;  // [spans][tokens of the span]

  int rows() const { return static_cast<int>(tokens.size()); }
};

// `anchor`: the tokens that preceded memory's nodes when their cells were computed
// (memory/node_cells.h). Throws Error{kInvalidArgument} if the trace contradicts itself.
TraceLayout lay_out(const Trace& trace, const Tokens& anchor = {});

// The row from which the token at (span, index) was sampled: a head was given this row's state. -1
// if that row was fed, because prefill keeps no states.
int state_row(const Trace& trace, const TraceLayout& layout, int span, int index);

}  // namespace polyphon
