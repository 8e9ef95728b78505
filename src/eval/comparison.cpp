#include "eval/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <span>

#include "base/error.h"
#include "eval/arm_figures.h"
#include "tasks/classification.h"

namespace polyphon {
namespace {

// Samples of the same problems in the same order.
struct Pairs {
  SampleSet before, after;
};

Paired paired_mean(const Pairs& pairs, double (*value)(const EvaluationSample&)) {
  const auto values = [&](const SampleSet& samples) {
    std::vector<double> all;
    for (const EvaluationSample* sample : samples) all.push_back(value(*sample));
    return all;
  };
  const std::vector<double> before = values(pairs.before), after = values(pairs.after);
  return {bootstrap_mean(before), bootstrap_mean(after),
          bootstrap_mean(paired_differences(after, before))};
}

Comparison comparison_of(const std::string& arm, const std::string& slice, const Pairs& pairs) {
  return {arm, slice, static_cast<int>(pairs.before.size()),
          paired_mean(pairs, [](const EvaluationSample& sample) { return sample.right ? 1.0 : 0; }),
          paired_mean(pairs, stream_success)};
}

struct Figure {
  const char* name;
  double (*of)(const SampleSet&);
  bool (*known)(const SampleSet&);  // whether the samples determine it
  // How it is printed.
  const char* label;
  double scale;
  int decimals;
};

bool have_streams(const SampleSet& samples) { return stream_figures(samples).streams > 1; }

const Figure kFigures[] = {
    {"any_right", [](const SampleSet& all) { return stream_figures(all).any_right; },
     [](const SampleSet&) { return true; }, "any right, %", 100, 1},
    {"error_correlation",
     [](const SampleSet& all) { return stream_figures(all).error_correlation; }, have_streams, "c",
     1, 2},
    {"effective_streams",
     [](const SampleSet& all) { return stream_figures(all).effective_streams; }, have_streams,
     "K_eff", 1, 1},
    {"search_waste", search_waste,
     [](const SampleSet& all) {
       return std::any_of(all.begin(), all.end(),
                          [](const EvaluationSample* each) { return each->search_tokens > 0; });
     },
     "search waste", 1, 2}};

// These figures are not means over problems. So the bootstrap draws problems and computes the
// figure of each draw.
ArmFigure arm_figure_of(const Figure& figure, const Pairs& pairs) {
  std::vector<int> problems(pairs.before.size());
  std::iota(problems.begin(), problems.end(), 0);
  using Rows = std::span<const size_t>;
  const auto of = [&](const SampleSet& samples, Rows rows) {
    SampleSet drawn;
    for (const size_t row : rows) drawn.push_back(samples[row]);
    return figure.of(drawn);
  };
  ArmFigure result{figure.name, {}, {}, {}};
  if (figure.known(pairs.before))
    result.before = bootstrap_groups(problems, [&](Rows rows) { return of(pairs.before, rows); });
  if (figure.known(pairs.after))
    result.after = bootstrap_groups(problems, [&](Rows rows) { return of(pairs.after, rows); });
  if (result.before && result.after)
    result.gain = bootstrap_groups(
        problems, [&](Rows rows) { return of(pairs.after, rows) - of(pairs.before, rows); });
  return result;
}

ArmComparison arm_comparison_of(const std::string& arm, const Pairs& pairs) {
  ArmComparison result{arm, static_cast<int>(pairs.before.size()), {}};
  for (const Figure& figure : kFigures) {
    ArmFigure values = arm_figure_of(figure, pairs);
    if (values.before || values.after) result.figures.push_back(std::move(values));
  }
  return result;
}

Json to_json(const Paired& paired, const std::string& prefix = "") {
  return {{prefix + "before", to_json(paired.before)},
          {prefix + "after", to_json(paired.after)},
          {prefix + "gain", to_json(paired.gain)}};
}

Json to_json(const std::optional<Interval>& interval) {
  return interval ? to_json(*interval) : Json();
}

std::string mean_percent(const Interval& interval) {
  return fmt::format("{:.1f}", 100 * interval.mean);
}

std::string figure_row(const ArmComparison& arm, const ArmFigure& values) {
  const Figure& figure =
      *std::find_if(std::begin(kFigures), std::end(kFigures),
                    [&](const Figure& each) { return each.name == values.name; });
  const auto mean = [&](const std::optional<Interval>& interval) {
    return interval ? fmt::format("{:.{}f}", figure.scale * interval->mean, figure.decimals) : "";
  };
  std::string gain;
  if (values.gain)
    gain = fmt::format("{1:+.{0}f} ({2:+.{0}f} to {3:+.{0}f})", figure.decimals,
                       figure.scale * values.gain->mean, figure.scale * values.gain->low,
                       figure.scale * values.gain->high);
  return fmt::format("| {} | {} | {} | {} | {} | {} |\n", arm.arm, figure.label, arm.problems,
                     mean(values.before), mean(values.after), gain);
}

}  // namespace

EvaluationComparison compare_evaluations(const std::vector<EvaluationSample>& before,
                                         const std::vector<EvaluationSample>& after,
                                         const std::vector<std::string>& arms) {
  std::map<std::string, const EvaluationSample*> firsts;
  for (const EvaluationSample& sample : before)
    firsts[sample.arm + " " + sample.problem()] = &sample;
  // The empty name (all problems) sorts before all families.
  std::map<std::string, std::map<std::string, Pairs>> by_arm;
  for (const EvaluationSample& sample : after) {
    if (!arms.empty() && std::find(arms.begin(), arms.end(), sample.arm) == arms.end()) continue;
    const auto first = firsts.find(sample.arm + " " + sample.problem());
    if (first == firsts.end()) continue;
    for (const std::string& slice :
         {std::string(), sample.family, fmt::format("{}/{}", sample.family, sample.difficulty)}) {
      Pairs& pairs = by_arm[sample.arm][slice];
      pairs.before.push_back(first->second);
      pairs.after.push_back(&sample);
    }
  }
  EvaluationComparison result;
  for (const auto& [arm, slices] : by_arm) {
    for (const auto& [slice, pairs] : slices)
      result.slices.push_back(comparison_of(arm, slice.empty() ? "all" : slice, pairs));
    result.arms.push_back(arm_comparison_of(arm, slices.at("")));
  }
  if (result.arms.empty())
    throw Error(ErrorCode::kInvalidArgument,
                "the evaluations have no problem and arm in common: nothing can be compared");
  return result;
}

Json to_json(const EvaluationComparison& comparison) {
  Json slices = Json::array(), arms = Json::array();
  for (const Comparison& each : comparison.slices) {
    Json slice = {{"arm", each.arm}, {"slice", each.slice}, {"problems", each.problems}};
    slice.update(to_json(each.answers));
    slice.update(to_json(each.streams, "stream_"));
    slices.push_back(std::move(slice));
  }
  for (const ArmComparison& each : comparison.arms) {
    Json arm = {{"arm", each.arm}, {"problems", each.problems}};
    for (const ArmFigure& figure : each.figures)
      arm[figure.name] = {{"before", to_json(figure.before)},
                          {"after", to_json(figure.after)},
                          {"gain", to_json(figure.gain)}};
    arms.push_back(std::move(arm));
  }
  return {{"comparisons", std::move(slices)}, {"arms", std::move(arms)}};
}

std::string to_markdown(const EvaluationComparison& comparison) {
  std::string text =
      "| arm | problems | n | answers before | after | gain (95 %) | streams before | after | gain "
      "(95 %) |\n|---|---|---:|---:|---:|---:|---:|---:|---:|\n";
  for (const Comparison& each : comparison.slices)
    text += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", each.arm, each.slice,
                        each.problems, mean_percent(each.answers.before),
                        mean_percent(each.answers.after), percent(each.answers.gain, true),
                        mean_percent(each.streams.before), mean_percent(each.streams.after),
                        percent(each.streams.gain, true));
  text +=
      "\n| arm | of all problems | n | before | after | difference (95 %) |\n"
      "|---|---|---:|---:|---:|---:|\n";
  for (const ArmComparison& each : comparison.arms)
    for (const ArmFigure& figure : each.figures) text += figure_row(each, figure);
  return text;
}

}  // namespace polyphon
