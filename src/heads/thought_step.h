// A thought step: the sentence or line that a stream or a branch is writing, its figures, and what
// the value head sees of it. Plain; pure functions.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "core/token.h"
#include "heads/value_head.h"

namespace polyphon {

struct ThoughtStep {
  Tokens tokens;
  std::string text;  // bytes
  double logprob_sum = 0;
  double entropy_sum = 0;  // nats
  int ends = 0;            // 1 when the turn ended with it

  void add(Token token, std::string_view piece, double logprob, double entropy) {
    tokens.push_back(token);
    text += piece;
    logprob_sum += logprob;
    entropy_sum += entropy;
  }
  // The end of the turn was sampled: it has no text, but it was a choice like the others.
  void end(double logprob, double entropy) {
    ++ends;
    logprob_sum += logprob;
    entropy_sum += entropy;
  }
  double mean_logprob() const { return logprob_sum / choices(); }
  double mean_entropy() const { return entropy_sum / choices(); }
  double choices() const { return std::max(1.0, static_cast<double>(tokens.size()) + ends); }
  // A line break after some words, or a closing mark after a few tokens. A point after a digit ends
  // nothing: the number may go on.
  bool complete() const;
};

inline constexpr size_t kTokensLookedBack = 128;  // of what was said before, for repetition

// What there is beside the step itself.
struct StepSurroundings {
  Tokens before;                           // the tail of what its line of thought said before
  std::vector<std::string> other_answers;  // normalised; none empty
  int tokens_left = 0;                     // of the stream's budget, after the step
  int budget_tokens = 1;
  double line_mean_logprob = 0;  // of all that its line of thought said, the step included
};

// `answer`: what the step states, normalised; may be empty.
ValueFeatures features_of(const ThoughtStep& step, const std::string& answer,
                          const StepSurroundings& surroundings);

}  // namespace polyphon
