// How well scores tell what is so from what is not. Pure functions. Scores and labels (0 or 1) are
// of one length, which is CHECKed.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "tasks/statistics.h"

namespace polyphon {

// Area under the ROC curve: the probability that what is so has the greater score, ties counted as
// half (Mann, Whitney 1947). 0.5 when all labels are the same.
double roc_auc(std::span<const double> scores, std::span<const int> labels);

// The same over pairs of one group only: scores that know the group's own difficulty gain nothing.
double roc_auc_within(std::span<const double> scores, std::span<const int> labels,
                      std::span<const int> groups);

// Mean squared difference of probability and label (Brier 1950). 0 for none.
double brier_score(std::span<const double> probabilities, std::span<const int> labels);

// Area under the curve of precision over recall, as the sum over thresholds of precision times the
// recall it adds; equal scores are one threshold. A score that knows nothing has the share of ones.
// 0 when nothing is so.
double average_precision(std::span<const double> scores, std::span<const int> labels);

struct PrecisionRecall {
  double precision = 0;  // share that is so of what was chosen; 0 when nothing was
  double recall = 0;     // share chosen of what is so; 0 when nothing is
  double rate = 0;       // share chosen
};
PrecisionRecall precision_recall(std::span<const double> scores, std::span<const int> labels,
                                 double threshold);  // chosen: above it

// A bin of a calibration plot: probabilities in order, cut into bins of equal count.
struct CalibrationBin {
  int count = 0;
  double predicted = 0;  // mean probability
  double observed = 0;   // share of ones
};
std::vector<CalibrationBin> calibration(std::span<const double> probabilities,
                                        std::span<const int> labels, int bins);

// Percentile bootstrap (Efron 1979) that draws whole groups, because what is of one group is not
// independent: `statistic` gets the rows of the groups that were drawn. `mean` is that of all rows.
Interval bootstrap_groups(std::span<const int> groups,
                          const std::function<double(std::span<const size_t> rows)>& statistic,
                          int resamples = 1000, uint64_t seed = 1);

}  // namespace polyphon
