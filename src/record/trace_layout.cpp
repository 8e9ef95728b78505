#include "record/trace_layout.h"

#include <cmath>
#include <map>

#include "record/trace_views.h"

namespace polyphon {

TraceLayout lay_out(const Trace& trace, const Tokens& anchor) {
  TraceViews views(trace, anchor);
  TraceLayout layout;
  layout.visibility = Visibility(static_cast<int>(views.cells().size()));
  for (const TraceSpan& span : trace.spans) layout.row_of.emplace_back(span.tokens.size(), -1);
  // A token is sampled from the last row that its sequence decoded, even if other cells have joined
  // the view since.
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

int state_row(const Trace& trace, const TraceLayout& layout, int span, int index) {
  const int row = layout.row_of[static_cast<size_t>(span)][static_cast<size_t>(index)];
  const int from = row < 0 ? -1 : layout.predictors[static_cast<size_t>(row)];
  if (from < 0) return -1;
  const int its_span = layout.spans[static_cast<size_t>(from)];
  const auto its_index = static_cast<size_t>(layout.indices[static_cast<size_t>(from)]);
  const bool sampled =
      its_span >= 0 && !std::isnan(trace.spans[static_cast<size_t>(its_span)].logprobs[its_index]);
  return sampled ? from : -1;
}

}  // namespace polyphon
