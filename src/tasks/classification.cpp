#include "tasks/classification.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "base/check.h"
#include "base/random.h"

namespace polyphon {
namespace {

// Rows by falling score, and visits each run of equal scores: (rows of the run, ones among them).
template <typename Visit>
void for_each_threshold(std::span<const double> scores, std::span<const int> labels, Visit visit) {
  POLYPHON_CHECK(scores.size() == labels.size());
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin;
    int ones = 0;
    for (; end < order.size() && scores[order[end]] == scores[order[begin]]; ++end)
      ones += labels[order[end]];
    visit(static_cast<int>(end - begin), ones);
    begin = end;
  }
}

struct PairCounts {
  double right_order = 0;  // pairs of a one and a zero; a tie counts half
  double pairs = 0;
};

PairCounts count_pairs(std::span<const double> scores, std::span<const int> labels) {
  double ones = 0, zeros = 0, right = 0;
  for_each_threshold(scores, labels, [&](int rows, int ones_here) {
    const double zeros_here = rows - ones_here;
    right += zeros_here * (ones + 0.5 * ones_here);
    ones += ones_here;
    zeros += zeros_here;
  });
  return {right, ones * zeros};
}

double share_of(const PairCounts& counts) {
  return counts.pairs > 0 ? counts.right_order / counts.pairs : 0.5;
}

}  // namespace

double roc_auc(std::span<const double> scores, std::span<const int> labels) {
  return share_of(count_pairs(scores, labels));
}

double roc_auc_within(std::span<const double> scores, std::span<const int> labels,
                      std::span<const int> groups) {
  POLYPHON_CHECK(scores.size() == labels.size() && groups.size() == labels.size());
  std::map<int, std::pair<std::vector<double>, std::vector<int>>> by_group;
  for (size_t i = 0; i < scores.size(); ++i) {
    by_group[groups[i]].first.push_back(scores[i]);
    by_group[groups[i]].second.push_back(labels[i]);
  }
  PairCounts all;
  for (const auto& [group, rows] : by_group) {
    const PairCounts counts = count_pairs(rows.first, rows.second);
    all.right_order += counts.right_order;
    all.pairs += counts.pairs;
  }
  return share_of(all);
}

double brier_score(std::span<const double> probabilities, std::span<const int> labels) {
  POLYPHON_CHECK(probabilities.size() == labels.size());
  double sum = 0;
  for (size_t i = 0; i < labels.size(); ++i)
    sum += (probabilities[i] - labels[i]) * (probabilities[i] - labels[i]);
  return labels.empty() ? 0 : sum / static_cast<double>(labels.size());
}

double average_precision(std::span<const double> scores, std::span<const int> labels) {
  const int ones = std::accumulate(labels.begin(), labels.end(), 0);
  double sum = 0;
  int chosen = 0, found = 0;
  for_each_threshold(scores, labels, [&](int rows, int ones_here) {
    chosen += rows;
    found += ones_here;
    sum += static_cast<double>(found) / chosen * ones_here;
  });
  return ones == 0 ? 0 : sum / ones;
}

PrecisionRecall precision_recall(std::span<const double> scores, std::span<const int> labels,
                                 double threshold) {
  POLYPHON_CHECK(scores.size() == labels.size());
  int ones = 0, chosen = 0, found = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    ones += labels[i];
    if (scores[i] <= threshold) continue;
    ++chosen;
    found += labels[i];
  }
  const auto share = [](int part, int all) {
    return all == 0 ? 0 : static_cast<double>(part) / all;
  };
  return {share(found, chosen), share(found, ones), share(chosen, static_cast<int>(labels.size()))};
}

std::vector<CalibrationBin> calibration(std::span<const double> probabilities,
                                        std::span<const int> labels, int bins) {
  POLYPHON_CHECK(probabilities.size() == labels.size() && bins > 0);
  std::vector<size_t> order(labels.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return probabilities[a] < probabilities[b]; });
  std::vector<CalibrationBin> result;
  for (size_t bin = 0; bin < static_cast<size_t>(bins); ++bin) {
    const size_t begin = order.size() * bin / static_cast<size_t>(bins);
    const size_t end = order.size() * (bin + 1) / static_cast<size_t>(bins);
    if (begin == end) continue;
    CalibrationBin& filled = result.emplace_back();
    filled.count = static_cast<int>(end - begin);
    for (size_t i = begin; i < end; ++i) {
      filled.predicted += probabilities[order[i]] / filled.count;
      filled.observed += static_cast<double>(labels[order[i]]) / filled.count;
    }
  }
  return result;
}

Interval bootstrap_groups(std::span<const int> groups,
                          const std::function<double(std::span<const size_t> rows)>& statistic,
                          int resamples, uint64_t seed) {
  std::map<int, std::vector<size_t>> by_group;
  std::vector<size_t> all(groups.size());
  std::iota(all.begin(), all.end(), size_t{0});
  for (const size_t row : all) by_group[groups[row]].push_back(row);
  std::vector<const std::vector<size_t>*> members;
  for (const auto& [group, rows] : by_group) members.push_back(&rows);
  if (members.empty()) return {};
  Random random(seed);
  std::vector<double> values;
  std::vector<size_t> drawn;
  for (int i = 0; i < resamples; ++i) {
    drawn.clear();
    for (size_t k = 0; k < members.size(); ++k) {
      const auto& rows =
          *members[static_cast<size_t>(random.uniform() * static_cast<double>(members.size()))];
      drawn.insert(drawn.end(), rows.begin(), rows.end());
    }
    values.push_back(statistic(drawn));
  }
  return {statistic(all), quantile(values, 0.025), quantile(values, 0.975)};
}

}  // namespace polyphon
