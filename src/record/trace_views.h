// Recomputes from a trace what every view of the session held, step by step. The trainer's
// visibility masks come from here, and tests compare the engine with it. Exact and fast: a step
// costs as much as its tokens and edits touch, a token costs one copy of a bit set. Not
// thread-safe.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "record/trace.h"
#include "record/visibility.h"

namespace polyphon {

// One token's keys and values. Cells are numbered in the order in which they were computed; within
// a step by sequence, then position.
struct TraceCell {
  int span = -1;  // index into Trace::spans; -1: a cell of the anchor, which is in no view
  int index = 0;  // index in the span, or in the anchor
  Token token = 0;
  Position position = 0;
  Step step = 0;
  int sequence = -1;    // the sequence whose view it entered first; -1: none
  bool placed = false;  // copied, not decoded in the session
};

class TraceViews {
 public:
  // `trace` must outlive this object. The cells that a "place" edit brought were computed after the
  // tokens of `anchor`; each placing has its own anchor cells, at the positions just before the
  // placed cells. Throws Error{kInvalidArgument} if the trace contradicts itself.
  explicit TraceViews(const Trace& trace, Tokens anchor = {});

  const std::vector<TraceCell>& cells() const { return cells_; }

  // `seen`: all cells that the cell's token attends to, itself included.
  using OnCell = std::function<void(int cell, const IndexSet& seen)>;
  // Runs through step `last`, including the edits before it. Calls `on_cell` for each new cell.
  // `last` must not decrease from call to call.
  void run_through(Step last, const OnCell& on_cell = {});
  // Runs to the end of the trace.
  void run(const OnCell& on_cell = {});

  // The cells that the sequence's view holds now.
  const IndexSet& view(int sequence);

 private:
  struct Run {  // cells [begin, end), computed together
    Step step = 0;
    int begin = 0, end = 0;
  };
  void number_cells();
  void place(const TraceEdit& edit, const OnCell& on_cell);
  void apply(const TraceEdit& edit, const OnCell& on_cell);
  void decode(const Run& run, const OnCell& on_cell);
  IndexSet up_to(const IndexSet& view, Position position) const;

  const Trace& trace_;
  const Tokens anchor_;
  std::vector<TraceCell> cells_;
  std::vector<Run> decoded_;       // in order of steps; without placed cells
  std::map<size_t, Run> placed_;   // by index of the edit in Trace::edits
  std::map<int, IndexSet> views_;  // by sequence
  // By sequence: the highest position that the view ever held.
  std::map<int, Position> last_position_;
  size_t next_edit_ = 0;
  size_t next_run_ = 0;
};

}  // namespace polyphon
