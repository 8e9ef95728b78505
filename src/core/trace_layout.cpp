#include "core/trace_layout.h"

#include <map>

#include "core/trace_views.h"

namespace polyphon {

TraceLayout lay_out(const Trace& trace, const Tokens& anchor) {
  TraceViews views(trace, anchor);
  TraceLayout layout;
  layout.visibility = Visibility(static_cast<int>(views.cells().size()));
  for (const TraceSpan& span : trace.spans) layout.row_of.emplace_back(span.tokens.size(), -1);
  // A token is sampled from the last row that its sequence decoded, whatever joined the view since.
  std::map<int, int> last_decoded;  // by sequence
  views.run([&](int row, const IndexSet& seen) {
    const TraceCell& cell = views.cells()[static_cast<size_t>(row)];
    layout.tokens.push_back(cell.token);
    layout.positions.push_back(cell.position);
    layout.visibility.set_row(row, seen);
    layout.spans.push_back(cell.span);
    layout.indices.push_back(cell.index);
    layout.placed.push_back(cell.placed);
    const auto last = last_decoded.find(cell.sequence);
    layout.predictors.push_back(cell.placed || last == last_decoded.end() ? -1 : last->second);
    if (!cell.placed) last_decoded[cell.sequence] = row;
    if (cell.span >= 0)
      layout.row_of[static_cast<size_t>(cell.span)][static_cast<size_t>(cell.index)] = row;
  });
  return layout;
}

}  // namespace polyphon
