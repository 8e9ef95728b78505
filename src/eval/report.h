// Summarises an evaluation's samples: per arm, paired over problems, and by family and difficulty.
#pragma once

#include <string>
#include <vector>

#include "eval/arm_figures.h"
#include "eval/sample.h"
#include "tasks/statistics.h"

namespace polyphon {

struct ArmReport {
  std::string arm;
  int problems = 0;
  Interval accuracy;
  // Difference to the baseline arm over the problems that both have; paired_problems is 0 if there
  // are none.
  int paired_problems = 0;
  Interval gain;
  double thought_tokens = 0;  // mean per problem, like the next two
  double answer_tokens = 0;
  double prefill_tokens = 0;
  double answer_s = 0;  // median time to the complete answer
  double cells = 0;     // mean KV cells decoded per session
  StreamFigures streams;
  double promotions = 0;  // mean per session
  double search_waste = 0;
};

struct SliceReport {
  std::string family;
  int difficulty = 0;
  int problems = 0;
  std::vector<double> accuracy;  // [arms]; NaN without samples
};

struct EvaluationReport {
  std::string baseline;
  std::vector<ArmReport> arms;      // in the order of the `arms` argument
  std::vector<SliceReport> slices;  // sorted by family, then difficulty
};

// Arms without samples are left out.
EvaluationReport report_of(const std::vector<EvaluationSample>& samples,
                           const std::vector<std::string>& arms, const std::string& baseline);

Json to_json(const EvaluationReport& report);
// Two Markdown tables. `bytes_per_cell` turns cells into MiB.
std::string to_markdown(const EvaluationReport& report, double bytes_per_cell);

}  // namespace polyphon
