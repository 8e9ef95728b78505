// A run of an evaluation: the arms over a suite, by one model, going on from the samples that an
// earlier run of the same evaluation kept.
#pragma once

#include <string>
#include <vector>

#include "app/config.h"
#include "pipeline/evaluation.h"
#include "pipeline/sample.h"
#include "pipeline/suite.h"

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

// Loads the model and blocks until every arm has done every problem; shows progress on a terminal's
// standard error. Gives what was kept before as well. Throws Error: as load_reasoner(), as
// evaluate(), for a file of another evaluation or one that cannot be written.
EvaluationFile run_evaluation(const EvaluationRun& run);

}  // namespace polyphon
