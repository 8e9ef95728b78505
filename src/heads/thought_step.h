// A thought step: one sentence or line that a stream or a search branch writes, with its statistics
// and the features that the value head reads. Plain data; pure functions.
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
  int ends = 0;            // 1 if the turn ended with this step

  void add(Token token, std::string_view piece, double logprob, double entropy) {
    tokens.push_back(token);
    text += piece;
    logprob_sum += logprob;
    entropy_sum += entropy;
  }
  // Counts the sampled end of the turn: it has no text, but it was a choice like the other tokens.
  void end(double logprob, double entropy) {
    ++ends;
    logprob_sum += logprob;
    entropy_sum += entropy;
  }
  double mean_logprob() const { return logprob_sum / choices(); }
  double mean_entropy() const { return entropy_sum / choices(); }
  double choices() const { return std::max(1.0, static_cast<double>(tokens.size()) + ends); }
  // Whether the step is complete: a line break after some words, or a closing mark after a few
  // tokens. A point after a digit does not count, because the number may continue.
  bool complete() const;
};

inline constexpr size_t kTokensLookedBack = 128;  // earlier tokens that are searched for repetition

// What surrounds a step.
struct StepSurroundings {
  Tokens before;  // last tokens of its line of thought before the step
  // Answers of other streams and branches, normalised, none empty.
  std::vector<std::string> other_answers;
  int tokens_left = 0;  // rest of the stream's budget after the step
  int budget_tokens = 1;
  double line_mean_logprob = 0;  // mean over the whole line of thought, this step included
};

// `answer`: the normalised answer that the step states; may be empty.
ValueFeatures features_of(const ThoughtStep& step, const std::string& answer,
                          const StepSurroundings& surroundings);

}  // namespace polyphon
