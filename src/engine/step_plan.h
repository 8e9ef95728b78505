// What one step decodes: a row for each sequence that continues, and a bounded chunk of the prompts
// that wait, shared out evenly among the sessions. Pure: no decoder, no clock.
#pragma once

#include <memory>
#include <vector>

#include "engine/live_session.h"

namespace polyphon {

// `count` waiting tokens of one sequence.
struct PlannedRun {
  LiveSession* session = nullptr;
  SequenceNumber sequence = 0;
  int count = 0;
  bool samples = false;  // the run ends where the sequence samples
};

struct StepPlan {
  std::vector<PlannedRun> decode;   // one sampled token each
  std::vector<PlannedRun> prefill;  // fed tokens, at most max_rows in all

  bool empty() const { return decode.empty() && prefill.empty(); }
};

// Background sessions get rows only when no interactive one has any. `turn` rotates who comes first
// in the prefill chunk.
StepPlan plan_step(const std::vector<std::unique_ptr<LiveSession>>& sessions,
                   int prefill_chunk_tokens, int max_rows, size_t turn);

}  // namespace polyphon
