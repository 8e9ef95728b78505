// What an example is told of one promotion of a recorded session. Plain state, made by
// workspace/trace_promotions.h.
#pragma once

#include <cstddef>
#include <vector>

namespace polyphon {

struct TracePromotion {
  std::vector<size_t> edits;    // in Trace::edits: they carried it out; none when it reached nobody
  std::vector<float> features;  // by which the gate chose it
  // The candidate's last token, whose state the gate reads (record/trace_layout.h: state_row).
  int span = 0;
  int index = 0;
};

}  // namespace polyphon
