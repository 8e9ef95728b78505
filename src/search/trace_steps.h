// Finds, in a recorded session, the ends of the thought steps that streams wrote, with the features
// that the value head would have read at each: the same steps and features as in search_bank.cpp,
// but from the trace alone. Used to train the value head. Pure.
#pragma once

#include <vector>

#include "heads/value_head.h"
#include "model/vocabulary.h"
#include "record/trace.h"

namespace polyphon {

struct TraceStep {
  int stream = 0;  // index into result.streams
  // The step's last token, by span and index in the span. The head also reads the state from which
  // this token was sampled.
  int span = 0;
  int index = 0;
  ValueFeatures features;
  int number = 0;                // number within the stream's steps, from 0
  double mean_logprob = 0;       // mean over the step's tokens
  double line_mean_logprob = 0;  // mean over all that the stream had sampled
};

// `entropies`: [spans][tokens of the span], entropy in nats of the distribution that each token was
// sampled from; not read for fed tokens. Steps are in order of streams, then of time. Tokens that a
// search committed are not in the stream's own span, so steps after a stream's first search are
// left out.
std::vector<TraceStep> thought_steps(const Trace& trace, const Vocabulary& vocabulary,
                                     const std::vector<std::vector<float>>& entropies);

}  // namespace polyphon
