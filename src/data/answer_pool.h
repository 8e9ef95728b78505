// Sessions from which an answer after the merge can be learnt: at least one stream was right, and
// the trace holds the instruction that asks for the answer. A vote already wins where most streams
// are right; an answer can do better where few are right, so those sessions teach most (AggLM,
// arXiv:2509.06870; PaCoRe trains on hard pools for the same reason).
#pragma once

#include <optional>
#include <string>

#include "data/rollouts.h"
#include "record/trace.h"

namespace polyphon {

struct AnswerPool {
  int merge_span = 0;     // span of the trace with the instruction; the answer follows it
  std::string answer;     // the right answer, as one of the streams gave it
  bool minority = false;  // whether at most half of the streams were right
};

// None if no stream was right, or if the session did not ask for an answer.
std::optional<AnswerPool> answer_pool_of(const Trace& trace, const Outcome& outcome);

// The complete text of an answer, in the form that problems ask for.
std::string answer_text(const std::string& answer);

}  // namespace polyphon
