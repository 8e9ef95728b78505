// Runs the arms of an evaluation over a suite, one session at a time or several beside each other,
// through the same front door that the server uses.
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
  float temperature = 0.7f;     // of the streams; answers are greedy
  int max_answer_tokens = 128;  // beside the budget
  int parallel = 1;             // problems at once; times to answer need 1
};

// The input of one arm for one problem. Every arm draws with the problem's own seed.
ThinkInput evaluation_input(const Problem& problem, const Arm& arm,
                            const EvaluationOptions& options);

// What the session did.
EvaluationSample sample_of(const Problem& problem, const std::string& arm,
                           const std::string& answer, const Finished& finished);

// Blocks until each of `wanted` is done: (problem, arm) pairs, in order. `on_sample` is called
// under a lock, in the order in which they end. Once `*stop` is set, nothing begins any more and
// what runs is given up without a sample; null: never. Throws the first Error of a session or of
// `on_sample`.
struct WantedSample {
  Problem problem;
  const Arm* arm = nullptr;
};
void evaluate(Reasoner& reasoner, const std::vector<WantedSample>& wanted,
              const EvaluationOptions& options,
              const std::function<void(const EvaluationSample&)>& on_sample,
              const std::atomic<bool>* stop = nullptr);

}  // namespace polyphon
