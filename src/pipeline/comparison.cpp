#include "pipeline/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.h"

namespace polyphon {
namespace {

struct Pairs {
  std::vector<double> before, after, stream_before, stream_after;
};

double stream_success(const EvaluationSample& sample) {
  const auto right = std::count_if(sample.streams.begin(), sample.streams.end(),
                                   [](const StreamSample& stream) { return stream.right; });
  return static_cast<double>(right) /
         static_cast<double>(std::max<size_t>(1, sample.streams.size()));
}

void add(Pairs& pairs, const EvaluationSample& before, const EvaluationSample& after) {
  pairs.before.push_back(before.right ? 1 : 0);
  pairs.after.push_back(after.right ? 1 : 0);
  pairs.stream_before.push_back(stream_success(before));
  pairs.stream_after.push_back(stream_success(after));
}

Comparison comparison_of(const std::string& arm, const std::string& slice, const Pairs& pairs) {
  const auto gain = [](const std::vector<double>& before, const std::vector<double>& after) {
    return bootstrap_mean(paired_differences(after, before));
  };
  return {arm,
          slice,
          static_cast<int>(pairs.before.size()),
          bootstrap_mean(pairs.before),
          bootstrap_mean(pairs.after),
          gain(pairs.before, pairs.after),
          bootstrap_mean(pairs.stream_before),
          bootstrap_mean(pairs.stream_after),
          gain(pairs.stream_before, pairs.stream_after)};
}

std::string mean_percent(const Interval& interval) {
  return fmt::format("{:.1f}", 100 * interval.mean);
}

}  // namespace

std::vector<Comparison> compare_evaluations(const std::vector<EvaluationSample>& before,
                                            const std::vector<EvaluationSample>& after) {
  std::map<std::string, const EvaluationSample*> firsts;
  for (const EvaluationSample& sample : before)
    firsts[sample.arm + " " + sample.problem()] = &sample;
  // "" sorts before all families.
  std::map<std::string, std::map<std::string, Pairs>> arms;
  for (const EvaluationSample& sample : after) {
    const auto first = firsts.find(sample.arm + " " + sample.problem());
    if (first == firsts.end()) continue;
    auto& slices = arms[sample.arm];
    for (const std::string& slice :
         {std::string(), sample.family, fmt::format("{}/{}", sample.family, sample.difficulty)})
      add(slices[slice], *first->second, sample);
  }
  std::vector<Comparison> result;
  for (const auto& [arm, slices] : arms)
    for (const auto& [slice, pairs] : slices)
      result.push_back(comparison_of(arm, slice.empty() ? "all" : slice, pairs));
  if (result.empty())
    throw Error(ErrorCode::kInvalidArgument,
                "the evaluations have no problem and arm in common: nothing can be compared");
  return result;
}

Json to_json(const std::vector<Comparison>& comparisons) {
  Json json = Json::array();
  for (const Comparison& each : comparisons)
    json.push_back({{"arm", each.arm},
                    {"slice", each.slice},
                    {"problems", each.problems},
                    {"before", to_json(each.before)},
                    {"after", to_json(each.after)},
                    {"gain", to_json(each.gain)},
                    {"stream_before", to_json(each.stream_before)},
                    {"stream_after", to_json(each.stream_after)},
                    {"stream_gain", to_json(each.stream_gain)}});
  return json;
}

std::string to_markdown(const std::vector<Comparison>& comparisons) {
  std::string text =
      "| arm | problems | n | answers before | after | gain (95 %) | streams before | after | gain "
      "(95 %) |\n|---|---|---:|---:|---:|---:|---:|---:|---:|\n";
  for (const Comparison& each : comparisons)
    text += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", each.arm, each.slice,
                        each.problems, mean_percent(each.before), mean_percent(each.after),
                        percent(each.gain, true), mean_percent(each.stream_before),
                        mean_percent(each.stream_after), percent(each.stream_gain, true));
  return text;
}

}  // namespace polyphon
