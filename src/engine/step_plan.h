// What one step decodes: a row for each sequence that continues, and a chunk of the prompts that
// wait. Pure: no decoder, no clock.
//
// A session that is alone gets chunks of a fixed size, so that its tokens do not depend on the
// clock (docs/reproducibility.md). Beside others, chunks are cut by the time they will take:
// prompts must not hold up the streams that clients read.
#pragma once

#include <memory>
#include <vector>

#include "engine/live_session.h"
#include "engine/step_pace.h"

namespace polyphon {

// `count` waiting tokens of one sequence.
struct PlannedRun {
  LiveSession* session = nullptr;
  SequenceNumber sequence = 0;
  int count = 0;
  bool samples = false;  // the run ends where the sequence samples
  Position begin = 0;    // of the first one
};

struct StepPlan {
  std::vector<PlannedRun> decode;   // one sampled token each
  std::vector<PlannedRun> prefill;  // fed tokens, at most max_rows in all

  bool empty() const { return decode.empty() && prefill.empty(); }
};

// Background sessions get rows only when no interactive one has any. The session with the least to
// read goes first; a quarter of each chunk goes to the sessions in turn, so that a long prompt is
// never starved by short ones. `turn` is the number of the step.
StepPlan plan_step(const std::vector<std::unique_ptr<LiveSession>>& sessions, const StepPace& pace,
                   int max_rows, size_t turn);

}  // namespace polyphon
