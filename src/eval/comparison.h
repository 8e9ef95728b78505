// Compares two evaluations of the same problems, for example of a base and a trained version.
// Paired by problem, so that differences in difficulty cancel.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "eval/sample.h"
#include "tasks/statistics.h"

namespace polyphon {

struct Paired {
  Interval before, after, gain;  // gain = after - before
};

struct Comparison {
  std::string arm;
  std::string slice;  // "all", a family, or "family/difficulty"
  int problems = 0;   // problems that both evaluations have
  Paired answers;     // share of answers that are right
  Paired streams;     // share of a problem's streams that are right
};

// A figure of an arm's streams or searches, over all problems that both evaluations have.
struct ArmFigure {
  // "any_right", "error_correlation", "effective_streams" or "search_waste" (see eval/report.h).
  std::string name;
  // Missing if the samples do not determine it: error correlation and effective streams need the
  // same number (two or more) of streams in every session; waste needs a search.
  std::optional<Interval> before, after, gain;
};
struct ArmComparison {
  std::string arm;
  int problems = 0;
  std::vector<ArmFigure> figures;  // figures that at least one evaluation has
};

struct EvaluationComparison {
  std::vector<Comparison> slices;   // per arm that both have: all problems, each family, each cell
  std::vector<ArmComparison> arms;  // one per arm that both have
};

// Compares the named arms, or all arms if none is named. Throws Error{kInvalidArgument} if the
// evaluations have no problem and arm in common.
EvaluationComparison compare_evaluations(const std::vector<EvaluationSample>& before,
                                         const std::vector<EvaluationSample>& after,
                                         const std::vector<std::string>& arms = {});

// {"comparisons": [one per slice], "arms": [one per arm]}
Json to_json(const EvaluationComparison& comparison);
// Two Markdown tables: slices in per cent, and arms.
std::string to_markdown(const EvaluationComparison& comparison);

}  // namespace polyphon
