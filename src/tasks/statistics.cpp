#include "tasks/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"
#include "base/random.h"

namespace polyphon {
namespace {

double mean_of(std::span<const double> values) {
  return values.empty() ? 0
                        : std::accumulate(values.begin(), values.end(), 0.0) /
                              static_cast<double>(values.size());
}

}  // namespace

Json to_json(const Interval& interval) {
  return {{"mean", interval.mean}, {"low", interval.low}, {"high", interval.high}};
}

Interval interval_from_json(const Json& json) {
  return {json.at("mean").get<double>(), json.at("low").get<double>(),
          json.at("high").get<double>()};
}

std::string figure(const Interval& interval, bool sign) {
  return fmt::format(
      fmt::runtime(sign ? "{:+.3f} ({:+.3f} to {:+.3f})" : "{:.3f} ({:.3f} to {:.3f})"),
      interval.mean, interval.low, interval.high);
}

std::string percent(const Interval& interval, bool sign) {
  return fmt::format(
      fmt::runtime(sign ? "{:+.1f} ({:+.1f} to {:+.1f})" : "{:.1f} ({:.1f} to {:.1f})"),
      100 * interval.mean, 100 * interval.low, 100 * interval.high);
}

Interval bootstrap_mean(std::span<const double> values, int resamples, uint64_t seed) {
  if (values.empty()) return {};
  Random random(seed);
  std::vector<double> means(static_cast<size_t>(resamples));
  for (double& mean : means) {
    double sum = 0;
    for (size_t i = 0; i < values.size(); ++i)
      sum += values[static_cast<size_t>(random.uniform() * static_cast<double>(values.size()))];
    mean = sum / static_cast<double>(values.size());
  }
  return {mean_of(values), quantile(means, 0.025), quantile(means, 0.975)};
}

std::vector<double> paired_differences(std::span<const double> a, std::span<const double> b) {
  POLYPHON_CHECK(a.size() == b.size());
  std::vector<double> differences(a.begin(), a.end());
  for (size_t i = 0; i < b.size(); ++i) differences[i] -= b[i];
  return differences;
}

double error_correlation(const std::vector<std::vector<int>>& errors) {
  if (errors.empty()) return 0;
  const size_t streams = errors.front().size();
  const auto problems = static_cast<int64_t>(errors.size());
  std::vector<int64_t> wrong(streams);
  for (const auto& row : errors) {
    POLYPHON_CHECK(row.size() == streams);
    for (size_t k = 0; k < streams; ++k) wrong[k] += row[k];
  }
  double sum = 0;
  int pairs = 0;
  for (size_t a = 0; a < streams; ++a)
    for (size_t b = a + 1; b < streams; ++b) {
      // In whole numbers, so that no variance is exactly none.
      const int64_t spread_a = wrong[a] * (problems - wrong[a]),
                    spread_b = wrong[b] * (problems - wrong[b]);
      if (spread_a == 0 || spread_b == 0) continue;
      int64_t both = 0;
      for (const auto& row : errors) both += row[a] * row[b];
      const int64_t covariance = problems * both - wrong[a] * wrong[b];
      sum += static_cast<double>(covariance) /
             std::sqrt(static_cast<double>(spread_a) * static_cast<double>(spread_b));
      ++pairs;
    }
  return pairs == 0 ? 0 : sum / pairs;
}

double effective_streams(int streams, double correlation) {
  return streams / (1 + (streams - 1) * std::max(0.0, correlation));
}

double quantile(std::vector<double> values, double p) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double at = p * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (at - static_cast<double>(below)) * (values[above] - values[below]);
}

}  // namespace polyphon
