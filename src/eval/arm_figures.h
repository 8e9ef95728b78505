// What samples of one arm say of its streams and searches. Pure functions.
#pragma once

#include <vector>

#include "eval/sample.h"

namespace polyphon {

using SampleSet = std::vector<const EvaluationSample*>;

// Share of its streams that are right; 0 without any.
double stream_success(const EvaluationSample& sample);

struct StreamFigures {
  int streams = 0;       // of a session; 0 when they differ, and then the last two are not known
  double accuracy = 0;   // of single streams
  double any_right = 0;  // pass@N: the ceiling of any merge
  double error_correlation = 0;
  double effective_streams = 0;
};
StreamFigures stream_figures(const SampleSet& samples);

// Share of the searches' tokens that were not committed; 0 when nothing was searched.
double search_waste(const SampleSet& samples);

}  // namespace polyphon
