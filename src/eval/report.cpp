#include "eval/report.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <set>

namespace polyphon {
namespace {

using ByProblem = std::map<std::string, const EvaluationSample*>;

ByProblem samples_of(const std::vector<EvaluationSample>& samples, const std::string& arm) {
  ByProblem result;
  for (const EvaluationSample& sample : samples)
    if (sample.arm == arm) result[sample.problem()] = &sample;
  return result;
}

double mean(const ByProblem& samples, double (*value)(const EvaluationSample&)) {
  double sum = 0;
  for (const auto& [problem, sample] : samples) sum += value(*sample);
  return samples.empty() ? 0 : sum / static_cast<double>(samples.size());
}

ArmReport arm_report(const std::string& arm, const ByProblem& samples, const ByProblem& baseline) {
  ArmReport report;
  report.arm = arm;
  report.problems = static_cast<int>(samples.size());
  SampleSet all;
  std::vector<double> right, mine, theirs, seconds;
  for (const auto& [problem, sample] : samples) {
    all.push_back(sample);
    right.push_back(sample->right ? 1 : 0);
    seconds.push_back(sample->answer_ms / 1000);
    const auto other = baseline.find(problem);
    if (other == baseline.end()) continue;
    mine.push_back(sample->right ? 1 : 0);
    theirs.push_back(other->second->right ? 1 : 0);
  }
  report.accuracy = bootstrap_mean(right);
  report.paired_problems = static_cast<int>(mine.size());
  report.gain = bootstrap_mean(paired_differences(mine, theirs));
  report.answer_s = quantile(seconds, 0.5);
  using Sample = const EvaluationSample&;
  report.thought_tokens = mean(samples, [](Sample s) { return double(s.thought_tokens); });
  report.answer_tokens = mean(samples, [](Sample s) { return double(s.answer_tokens); });
  report.prefill_tokens = mean(samples, [](Sample s) { return double(s.prefill_tokens); });
  report.cells = mean(samples, [](Sample s) { return double(s.cells); });
  report.promotions = mean(samples, [](Sample s) { return double(s.promotions); });
  report.search_waste = search_waste(all);
  report.streams = stream_figures(all);
  return report;
}

std::vector<SliceReport> slices_of(const std::vector<ByProblem>& arms) {
  std::map<std::pair<std::string, int>, std::vector<std::pair<int, int>>> counts;  // (right, all)
  std::map<std::pair<std::string, int>, std::set<std::string>> problems;
  for (size_t arm = 0; arm < arms.size(); ++arm)
    for (const auto& [problem, sample] : arms[arm]) {
      const std::pair key(sample->family, sample->difficulty);
      auto& slice = counts.try_emplace(key, arms.size()).first->second;
      slice[arm].first += sample->right ? 1 : 0;
      ++slice[arm].second;
      problems[key].insert(problem);
    }
  std::vector<SliceReport> slices;
  for (const auto& [key, arm_counts] : counts) {
    SliceReport& slice = slices.emplace_back();
    slice.family = key.first;
    slice.difficulty = key.second;
    slice.problems = static_cast<int>(problems[key].size());
    for (const auto& [right, all] : arm_counts)
      slice.accuracy.push_back(all == 0 ? NAN : static_cast<double>(right) / all);
  }
  return slices;
}

}  // namespace

EvaluationReport report_of(const std::vector<EvaluationSample>& samples,
                           const std::vector<std::string>& arms, const std::string& baseline) {
  EvaluationReport report;
  report.baseline = baseline;
  const ByProblem base = samples_of(samples, baseline);
  std::vector<ByProblem> all;
  for (const std::string& arm : arms) {
    ByProblem of_arm = samples_of(samples, arm);
    if (of_arm.empty()) continue;
    report.arms.push_back(arm_report(arm, of_arm, base));
    all.push_back(std::move(of_arm));
  }
  report.slices = slices_of(all);
  return report;
}

Json to_json(const EvaluationReport& report) {
  Json arms = Json::array(), slices = Json::array();
  for (const ArmReport& arm : report.arms)
    arms.push_back({{"arm", arm.arm},
                    {"problems", arm.problems},
                    {"accuracy", to_json(arm.accuracy)},
                    {"gain", to_json(arm.gain)},
                    {"paired_problems", arm.paired_problems},
                    {"thought_tokens", arm.thought_tokens},
                    {"answer_tokens", arm.answer_tokens},
                    {"prefill_tokens", arm.prefill_tokens},
                    {"answer_s", arm.answer_s},
                    {"cells", arm.cells},
                    {"streams", arm.streams.streams},
                    {"stream_accuracy", arm.streams.accuracy},
                    {"any_right", arm.streams.any_right},
                    {"error_correlation", arm.streams.error_correlation},
                    {"effective_streams", arm.streams.effective_streams},
                    {"promotions", arm.promotions},
                    {"search_waste", arm.search_waste}});
  for (const SliceReport& slice : report.slices) {
    Json accuracy;
    for (size_t i = 0; i < report.arms.size(); ++i)
      accuracy[report.arms[i].arm] =
          std::isnan(slice.accuracy[i]) ? Json() : Json(slice.accuracy[i]);
    slices.push_back({{"family", slice.family},
                      {"difficulty", slice.difficulty},
                      {"problems", slice.problems},
                      {"accuracy", std::move(accuracy)}});
  }
  return {{"baseline", report.baseline}, {"arms", arms}, {"slices", slices}};
}

std::string to_markdown(const EvaluationReport& report, double bytes_per_cell) {
  std::string text = fmt::format(
      "| arm | problems | right, % (95 %) | against {}, points | thought tokens | answer tokens | "
      "prefilled again | seconds | KV MiB | stream right, % | any right, % | c | K_eff | "
      "promotions | search waste |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- "
      "|\n",
      report.baseline);
  for (const ArmReport& arm : report.arms)
    text += fmt::format(
        "| {} | {} | {} | {} | {:.0f} | {:.0f} | {:.0f} | {:.1f} | {:.0f} | {:.1f} | {:.1f} | "
        "{:.2f} | {:.1f} | {:.1f} | {:.2f} |\n",
        arm.arm, arm.problems, percent(arm.accuracy, false),
        arm.arm == report.baseline || arm.paired_problems == 0 ? "" : percent(arm.gain, true),
        arm.thought_tokens, arm.answer_tokens, arm.prefill_tokens, arm.answer_s,
        arm.cells * bytes_per_cell / (1 << 20), 100 * arm.streams.accuracy,
        100 * arm.streams.any_right, arm.streams.error_correlation, arm.streams.effective_streams,
        arm.promotions, arm.search_waste);
  text += "\n| family | difficulty | problems |";
  for (const ArmReport& arm : report.arms) text += fmt::format(" {} |", arm.arm);
  text += "\n| --- | --- | --- |";
  for (size_t i = 0; i < report.arms.size(); ++i) text += " --- |";
  for (const SliceReport& slice : report.slices) {
    text += fmt::format("\n| {} | {} | {} |", slice.family, slice.difficulty, slice.problems);
    for (const double accuracy : slice.accuracy)
      text += std::isnan(accuracy) ? "  |" : fmt::format(" {:.0f} |", 100 * accuracy);
  }
  return text + "\n";
}

}  // namespace polyphon
