// What an answer after the merge can be learnt from: sessions in which some streams were right, and
// whose trace holds the instruction that asks for the answer. A vote finds the right answer where
// most have it; what an answer can do better is learnt where few have it (AggLM, arXiv:2509.06870;
// PaCoRe trains on hard pools for the same reason).
#pragma once

#include <optional>
#include <string>

#include "data/rollouts.h"
#include "record/trace.h"

namespace polyphon {

struct AnswerPool {
  int merge_span = 0;     // of the trace: the instruction, after which the answer comes
  std::string answer;     // that is right, as one of the streams has it
  bool minority = false;  // at most half of the streams have it
};

// None when no stream was right, or when the session did not ask for an answer.
std::optional<AnswerPool> answer_pool_of(const Trace& trace, const Outcome& outcome);

// All that is to be said, in the form that problems ask for.
std::string answer_text(const std::string& answer);

}  // namespace polyphon
