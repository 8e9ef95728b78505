// What a session's views held, computed from its trace alone.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "model/fake_decoder.h"
#include "record/trace_views.h"

namespace polyphon {

inline const TraceSpan& span_of(const Trace& trace, const std::string& owner) {
  const auto found = std::find_if(trace.spans.begin(), trace.spans.end(),
                                  [&](const TraceSpan& s) { return to_string(s.owner) == owner; });
  if (found == trace.spans.end()) throw std::out_of_range(owner);
  return *found;
}

// The cells that the view of `sequence` holds when `step` is decoded, as (span, index).
inline std::set<std::pair<int, size_t>> cells_in_view(const Trace& trace, int sequence, Step step) {
  TraceViews views(trace);
  views.run_through(step);
  std::set<std::pair<int, size_t>> found;
  views.view(sequence).for_each([&](int index) {
    const TraceCell& cell = views.cells()[static_cast<size_t>(index)];
    found.insert({cell.span, static_cast<size_t>(cell.index)});
  });
  return found;
}

// The same cells by position: how many cells are at each.
inline std::map<Position, int> view_at(const Trace& trace, int sequence, Step step) {
  std::map<Position, int> positions;
  for (const auto& [span, index] : cells_in_view(trace, sequence, step))
    ++positions[trace.spans[static_cast<size_t>(span)].begin + static_cast<Position>(index)];
  return positions;
}

// Expects that every sampled token's row saw exactly the cells that the trace's edits put into its
// view, at positions up to its own. Returns the number of rows checked.
inline int expect_rows_see_what_the_trace_says(const Trace& trace,
                                               const std::vector<FakeRow>& rows) {
  std::set<std::pair<Token, std::map<Position, int>>> seen;
  for (const FakeRow& row : rows) {
    std::map<Position, int> positions;
    for (Position position : row.positions) ++positions[position];
    seen.emplace(row.row.token, positions);
  }
  std::map<std::pair<int, Step>, Position> last_in_step;
  for (const TraceSpan& span : trace.spans)
    for (size_t i = 0; i < span.tokens.size(); ++i) {
      Position& last = last_in_step[{span.sequence, span.steps[i]}];
      last = std::max(last, span.begin + static_cast<Position>(i));
    }
  int checked = 0;
  for (const TraceSpan& span : trace.spans) {
    for (size_t i = 0; i < span.tokens.size(); ++i) {
      const auto at = span.begin + static_cast<Position>(i);
      // A cue may be fed after a sampled token; rows without an output are not recorded.
      const bool last = last_in_step.at({span.sequence, span.steps[i]}) == at;
      if (std::isnan(span.logprobs[i]) || !last) continue;
      std::map<Position, int> view = view_at(trace, span.sequence, span.steps[i]);
      view.erase(view.upper_bound(at), view.end());
      EXPECT_TRUE(seen.contains({span.tokens[i], view})) << to_string(span.owner) << " token " << i;
      ++checked;
    }
  }
  return checked;
}

}  // namespace polyphon
