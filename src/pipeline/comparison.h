// Two evaluations of the same problems beside each other, as of a base and a trained version:
// paired by problem, so that how hard the problems are falls out.
#pragma once

#include <string>
#include <vector>

#include "pipeline/sample.h"
#include "tasks/statistics.h"

namespace polyphon {

struct Comparison {
  std::string arm;
  std::string slice;                                  // "all", a family, or "family/difficulty"
  int problems = 0;                                   // that both have
  Interval before, after, gain;                       // share of right answers; after less before
  Interval stream_before, stream_after, stream_gain;  // share of a problem's streams that are right
};

// For each arm that both have: all problems, each family, each cell. Throws
// Error{kInvalidArgument} when nothing can be paired.
std::vector<Comparison> compare_evaluations(const std::vector<EvaluationSample>& before,
                                            const std::vector<EvaluationSample>& after);

Json to_json(const std::vector<Comparison>& comparisons);
// A Markdown table, in per cent.
std::string to_markdown(const std::vector<Comparison>& comparisons);

}  // namespace polyphon
