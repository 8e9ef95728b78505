// What every view of a session held, step by step, by its trace alone: the trainer's visibility
// masks come from here, and tests hold the engine to it. Exact, and fast enough for whole data
// sets: a step costs what its tokens and edits touch, a token one copy of a bit set. Thread: one at
// a time.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "record/trace.h"
#include "record/visibility.h"

namespace polyphon {

// One token's keys and values. Numbered in the order in which cells came to be; within a step by
// sequence, then position.
struct TraceCell {
  int span = -1;  // in Trace::spans; -1: of the anchor before placed cells, in no view
  int index = 0;  // in the span, or in the anchor
  Token token = 0;
  Position position = 0;
  Step step = 0;
  int sequence = -1;    // whose view it entered first; -1: none
  bool placed = false;  // from a copy, not decoded in the session
};

class TraceViews {
 public:
  // `trace` must outlive this. Cells that a "place" edit brought were computed after `anchor`,
  // whose cells come before theirs, at the positions before theirs, once a placing. Throws
  // Error{kInvalidArgument} when the trace contradicts itself.
  explicit TraceViews(const Trace& trace, Tokens anchor = {});

  const std::vector<TraceCell>& cells() const { return cells_; }

  // `seen`: all that the cell's token attends to, itself included.
  using OnCell = std::function<void(int cell, const IndexSet& seen)>;
  // Goes on until step `last` is decoded, the edits before it included; calls `on_cell` for each
  // cell as it comes to be. Steps only grow from call to call.
  void run_through(Step last, const OnCell& on_cell = {});
  // To the end of the trace.
  void run(const OnCell& on_cell = {});

  // Cells in the sequence's view now.
  const IndexSet& view(int sequence);

 private:
  struct Run {  // cells [begin, end) come to be together
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
  std::vector<Run> decoded_;               // by step, without placed cells
  std::map<size_t, Run> placed_;           // by the edit's index in Trace::edits
  std::map<int, IndexSet> views_;          // by sequence
  std::map<int, Position> last_position_;  // that the view ever held
  size_t next_edit_ = 0;
  size_t next_run_ = 0;
};

}  // namespace polyphon
