// Small traces for tests, built by hand.
#pragma once

#include <cmath>
#include <vector>

#include "record/trace.h"

namespace polyphon {

class TraceBuilder {
 public:
  // Adds a span of fed tokens with the values 100 * span + index. Returns the span's id.
  int span(int sequence, Position begin, const std::vector<Step>& steps) {
    TraceSpan& span = trace.spans.emplace_back();
    span.id = static_cast<int>(trace.spans.size()) - 1;
    span.sequence = sequence;
    span.begin = begin;
    span.steps = steps;
    for (size_t i = 0; i < steps.size(); ++i)
      span.tokens.push_back(100 * span.id + static_cast<Token>(i));
    span.logprobs.assign(steps.size(), NAN);
    return span.id;
  }
  void edit(Step step, EditKind kind, int sequence, int source = -1, Position begin = 0,
            Position end = 0) {
    trace.edits.push_back({step, kind, sequence, source, begin, end, -1});
  }
  Trace trace;
};

// A prompt of three tokens, two of them from the prefix cache. Two streams fork from it and decode
// side by side. A register sees both; its note joins the first stream. The second stream loses a
// cell.
inline Trace two_streams() {
  TraceBuilder b;
  b.edit(0, EditKind::kOpen, 0);
  b.span(0, 0, {-1, -1, 0});  // span 0
  b.edit(1, EditKind::kOpen, 1);
  b.edit(1, EditKind::kJoin, 1, 0, 0, 3);
  b.edit(1, EditKind::kOpen, 2);
  b.edit(1, EditKind::kJoin, 2, 0, 0, 3);
  b.span(1, 3, {1, 2, 3, 4});  // span 1
  b.span(2, 3, {1, 2, 3, 4});  // span 2
  b.edit(3, EditKind::kOpen, 3);
  b.edit(3, EditKind::kJoin, 3, 1, 0, 100);
  b.edit(3, EditKind::kJoin, 3, 2, 3, 100);
  b.span(3, 5, {3, 3});  // span 3: the note
  b.edit(4, EditKind::kJoin, 1, 3, 5, 7);
  b.edit(4, EditKind::kClose, 3);
  b.edit(4, EditKind::kDrop, 2, -1, 3, 4);
  b.span(1, 7, {5});  // span 4: after the note; the stream is past the note's positions
  return b.trace;
}

// A prompt of four tokens, then two placed cells, then a reader that decodes two tokens.
inline Trace placed_cells() {
  TraceBuilder b;
  b.span(0, 0, {0, 0, 0, 0});
  b.edit(1, EditKind::kPlace, 0, -1, 4, 6);
  b.span(0, 4, {1, 1});  // span 1: placed
  b.span(0, 6, {1, 2});  // span 2: the reader
  return b.trace;
}

}  // namespace polyphon
