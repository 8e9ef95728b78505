// What a thought step is worth where it was written: by a stream, or by a branch of its search.
// Decode thread only.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "heads/thought_step.h"
#include "streams/stream_phase.h"

namespace polyphon {

// What the step follows, and what it states.
struct StepPlace {
  std::span<const Token> before;  // said on its line of thought before it
  double line_mean_logprob = 0;   // of all that was said on the line, the step included
  int tokens_left = 0;            // of the stream's budget, after the step
  std::string answer;             // that it states; may be empty
  std::vector<std::string> other_answers = {};  // of sibling branches, normalised
};

struct StepValue {
  double value = 0;
  ValueFeatures features;
};

// `hidden`: the state that the step's last token was sampled from. The answers of the phase's other
// streams count beside those of the place. Where a checker knows an answer's worth, it overrules
// the head.
StepValue value_of_step(const ThinkContext& context, const StreamPhase& phase, const Stream& stream,
                        const ThoughtStep& step, StepPlace place, std::span<const float> hidden);

}  // namespace polyphon
