// Runs the arms of an evaluation over problems, one session at a time or several in parallel.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "data/suite.h"
#include "eval/arms.h"
#include "eval/sample.h"
#include "sessions/reasoner.h"

namespace polyphon {

struct EvaluationOptions {
  EvaluationShape shape;
  float temperature = 0.7f;     // temperature of streams; answers are greedy
  int max_answer_tokens = 128;  // on top of the budget of thinking
  int parallel = 1;             // sessions at the same time; use 1 to measure times
};

// The input of one arm for one problem. All arms use the problem's seed.
ThinkInput evaluation_input(const Problem& problem, const Arm& arm,
                            const EvaluationOptions& options);

// The sample of a finished session.
EvaluationSample sample_of(const Problem& problem, const std::string& arm,
                           const std::string& answer, const Finished& finished);

struct WantedSample {
  Problem problem;
  const Arm* arm = nullptr;
};
// Plays all of `wanted` in order and blocks until they are done. `terms` holds for each session:
// use background priority if others use the reasoner. Calls `on_sample` for each result, one call
// at a time, in the order in which sessions end. After `stop` is set, nothing new begins and
// running sessions are cancelled without a sample. Throws the first Error of a session or of
// `on_sample`.
void evaluate(Reasoner& reasoner, const std::vector<WantedSample>& wanted,
              const EvaluationOptions& options, const SessionTerms& terms,
              const std::function<void(const EvaluationSample&)>& on_sample,
              const std::atomic<bool>& stop);

}  // namespace polyphon
