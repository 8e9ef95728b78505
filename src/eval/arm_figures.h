// Figures of one arm's streams and searches, computed from its samples. Pure functions.
#pragma once

#include <vector>

#include "eval/sample.h"

namespace polyphon {

using SampleSet = std::vector<const EvaluationSample*>;

// Share of the sample's streams that are right; 0 if it has none.
double stream_success(const EvaluationSample& sample);

struct StreamFigures {
  // Streams per session; 0 if sessions differ, and then the last two figures are unknown.
  int streams = 0;
  double accuracy = 0;   // share of single streams that are right
  double any_right = 0;  // pass@N: share of sessions with a right stream, the limit of any merge
  double error_correlation = 0;
  double effective_streams = 0;
};
StreamFigures stream_figures(const SampleSet& samples);

// Share of the searches' tokens that were not committed; 0 if nothing was searched.
double search_waste(const SampleSet& samples);

}  // namespace polyphon
