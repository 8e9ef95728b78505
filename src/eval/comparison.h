// Two evaluations of the same problems beside each other, as of a base and a trained version:
// paired by problem, so that how hard the problems are falls out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "eval/sample.h"
#include "tasks/statistics.h"

namespace polyphon {

struct Paired {
  Interval before, after, gain;  // after less before
};

struct Comparison {
  std::string arm;
  std::string slice;  // "all", a family, or "family/difficulty"
  int problems = 0;   // that both have
  Paired answers;     // share that is right
  Paired streams;     // share of a problem's streams that are right
};

// What an arm's streams and searches are like, over all problems that both have.
struct ArmFigure {
  // "any_right", "error_correlation", "effective_streams" or "search_waste", as in a report
  // (eval/report.h).
  std::string name;
  // Missing where the samples cannot say: c and K_eff without several streams, as many in every
  // session; waste where nothing was searched.
  std::optional<Interval> before, after, gain;
};
struct ArmComparison {
  std::string arm;
  int problems = 0;
  std::vector<ArmFigure> figures;  // that one of the two has
};

struct EvaluationComparison {
  std::vector<Comparison> slices;   // for each arm that both have: all problems, each family, cell
  std::vector<ArmComparison> arms;  // for each arm that both have
};

// Of the named arms; of all when none is named. Throws Error{kInvalidArgument} when nothing can be
// paired.
EvaluationComparison compare_evaluations(const std::vector<EvaluationSample>& before,
                                         const std::vector<EvaluationSample>& after,
                                         const std::vector<std::string>& arms = {});

// {"comparisons": a slice each, "arms": an arm each}
Json to_json(const EvaluationComparison& comparison);
// Two Markdown tables: slices in per cent, then arms.
std::string to_markdown(const EvaluationComparison& comparison);

}  // namespace polyphon
