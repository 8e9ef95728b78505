// A run of an evaluation: the arms over a suite, by one model, going on from the samples that an
// earlier run of the same evaluation kept.
#pragma once

#include <string>
#include <vector>

#include "data/suite.h"
#include "deploy/config.h"
#include "eval/evaluation.h"
#include "eval/sample.h"

namespace polyphon {

struct EvaluationRun {
  Config config;  // of what is evaluated; its prefix cache is not used
  Suite suite;
  std::vector<std::string> arms;
  EvaluationOptions options;
  int limit = 0;       // problems of each entry; 0: all
  std::string output;  // the file that keeps samples; empty: they are not kept
};

// What evaluations that are compared have in common, as members of their headers.
Json evaluation_terms(const Suite& suite, const EvaluationOptions& options);

struct EvaluationResult {
  EvaluationFile file;   // with the samples that were kept before
  bool stopped = false;  // by SIGINT or SIGTERM
  size_t all = 0;        // samples of the whole evaluation
  std::string kept_in;   // the file; empty: not stopped, and no output was asked for
};

// Loads the model and blocks until every arm has done every problem, or a signal stops it; shows
// progress on standard error. What a stopped run measured is kept even if no output was asked for:
// then in a new file of the working folder. Throws Error: as load_reasoner(), as evaluate(), for a
// file of another evaluation or one that cannot be written.
EvaluationResult run_evaluation(const EvaluationRun& run);

// What was measured before the stop, and how to go on.
std::string stopped_text(const EvaluationResult& result);

}  // namespace polyphon
