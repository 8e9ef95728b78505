// Runs the arms of an evaluation over a suite, one session at a time or several beside each other.
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

struct WantedSample {
  Problem problem;
  const Arm* arm = nullptr;
};
// Blocks until each of `wanted` is done; they begin in order, each session on `terms`: background
// priority where others use the reasoner. `on_sample` is called one at a time, in the order in
// which they end. Once `stop` is set, nothing begins any more and what runs is given up without a
// sample. Throws the first Error of a session or of `on_sample`.
void evaluate(Reasoner& reasoner, const std::vector<WantedSample>& wanted,
              const EvaluationOptions& options, const SessionTerms& terms,
              const std::function<void(const EvaluationSample&)>& on_sample,
              const std::atomic<bool>& stop);

}  // namespace polyphon
