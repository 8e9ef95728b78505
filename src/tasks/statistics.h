// What an evaluation says of its samples. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/json.h"

namespace polyphon {

struct Interval {
  double mean = 0;
  double low = 0;  // 95 %
  double high = 0;
};
Json to_json(const Interval& interval);
// Throws Json::exception.
Interval interval_from_json(const Json& json);
// "0.408 (0.350 to 0.466)"; with `sign` "+0.072 (+0.022 to +0.122)", of differences.
std::string figure(const Interval& interval, bool sign);
// "12.5 (6.2 to 18.8)", of shares; with `sign` as above.
std::string percent(const Interval& interval, bool sign);

// Percentile bootstrap (Efron 1979) of the mean over problems, `resamples` times by `seed`. Given
// differences of paired values it is the paired interval. Empty: all zero.
Interval bootstrap_mean(std::span<const double> values, int resamples = 2000, uint64_t seed = 1);

// a - b, element by element. CHECKs that they are of one length.
std::vector<double> paired_differences(std::span<const double> a, std::span<const double> b);

// Correlation of the streams' errors: the mean over pairs of streams of Pearson's coefficient of
// their 0/1 errors, over problems. errors[problem][stream]; every problem has the same number of
// streams. Pairs in which a stream has no variance are left out; 0 when none is left.
double error_correlation(const std::vector<std::vector<int>>& errors);

// How many independent streams `streams` correlated ones are worth: K / (1 + (K - 1) c), a negative
// correlation counted as none.
double effective_streams(int streams, double correlation);

// The p-quantile of the values, 0 <= p <= 1, linear between neighbours; 0 when there are none.
double quantile(std::vector<double> values, double p);

}  // namespace polyphon
