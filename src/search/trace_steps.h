// The ends of the thought steps that a recorded session's streams wrote, and what the value head
// would have seen at each: the same steps and features as in a search (search_bank.cpp), made from
// the trace alone. Pure.
#pragma once

#include <vector>

#include "heads/value_head.h"
#include "model/vocabulary.h"
#include "record/trace.h"

namespace polyphon {

struct TraceStep {
  int stream = 0;  // in result.streams
  // The step's last token: its span, and its index there. The state it was sampled from is the
  // head's other input.
  int span = 0;
  int index = 0;
  ValueFeatures features;
  int number = 0;                // of the stream's steps, from 0
  double mean_logprob = 0;       // of the step's tokens
  double line_mean_logprob = 0;  // of all that the stream had said
};

// `entropies` of the distributions that tokens were drawn from, in nats: [spans][tokens of the
// span], of fed tokens not read. In the order of streams, then of time. What a search committed is
// in no stream's own span: a stream's steps from its first search on are left out.
std::vector<TraceStep> thought_steps(const Trace& trace, const Vocabulary& vocabulary,
                                     const std::vector<std::vector<float>>& entropies);

}  // namespace polyphon
