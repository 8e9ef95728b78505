// Computes the value of a thought step of a stream or of a branch of its search. Decode thread
// only.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "heads/thought_step.h"
#include "streams/stream_phase.h"

namespace polyphon {

// The place of a step in its line of thought.
struct StepPlace {
  std::span<const Token> before;                // tokens of its line of thought before the step
  double line_mean_logprob = 0;                 // mean over the whole line, this step included
  int tokens_left = 0;                          // rest of the stream's budget after the step
  std::string answer;                           // answer that the step states; may be empty
  std::vector<std::string> other_answers = {};  // answers of other branches, normalised
};

struct StepValue {
  double value = 0;
  ValueFeatures features;
};

// Asks the value head; `hidden` is the state from which the step's last token was sampled. The
// answers of the phase's other streams are added to place.other_answers. If a checker knows whether
// an answer is right, its verdict replaces the head's value.
StepValue value_of_step(const ThinkContext& context, const StreamPhase& phase, const Stream& stream,
                        const ThoughtStep& step, StepPlace place, std::span<const float> hidden);

}  // namespace polyphon
