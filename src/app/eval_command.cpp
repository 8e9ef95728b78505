// polyphon eval: the arms of the control set over a suite of problems, at equal budgets. SIGINT or
// SIGTERM ends it with a report of what was measured; the same command goes on from there.
#include <algorithm>
#include <iostream>

#include "app/command.h"
#include "app/eval_compare.h"
#include "app/evaluation_run.h"
#include "app/usage.h"
#include "eval/head_metrics.h"
#include "eval/report.h"

namespace polyphon {
namespace {

struct EvalFlags {
  ModelFlags model;
  std::string suite, output, baseline, calibration;
  std::vector<std::string> arms;
  std::vector<std::string> compared;  // two sides, before and after
  std::vector<std::string> measured;  // whose calibration is drawn
  bool report_only = false, json = false;
  int limit = 0;
  EvaluationOptions options;
};

// An arm's name, or that of a set of arms.
std::vector<std::string> arms_of(const std::string& name) {
  if (name == "control_set") return control_set();
  if (name == "cures") return collapse_cures();
  arm(name);  // throws for one that is not known
  return {name};
}

std::vector<std::string> wanted_arms(const EvalFlags& flags) {
  std::vector<std::string> names;
  for (const std::string& given :
       flags.arms.empty() ? std::vector<std::string>{"control_set"} : flags.arms)
    for (const std::string& name : arms_of(given))
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  return names;
}

void print_report(const EvalFlags& flags, const std::vector<EvaluationSample>& samples,
                  const Json& header) {
  const EvaluationReport report = report_of(samples, wanted_arms(flags), flags.baseline);
  if (flags.json) {
    Json json = to_json(report);
    json["evaluation"] = header;
    return print_out(json.dump() + "\n");
  }
  print_out(to_markdown(report, header.value("bytes_per_cell", 0.0)));
}

EvaluationRun run_of(const EvalFlags& flags) {
  return {flags.model.config(), read_suite(flags.suite),
          wanted_arms(flags),   flags.options,
          flags.limit,          {}};
}

int compare(const EvalFlags& flags) {
  CompareOptions options{.sides = flags.compared,
                         .run = {},
                         .folder = flags.output,
                         .arms = {},
                         .calibration = flags.calibration,
                         .json = flags.json};
  if (!flags.suite.empty()) options.run = run_of(flags);
  if (!flags.arms.empty()) options.arms = wanted_arms(flags);
  return compare_command(options);
}

int draw(const EvalFlags& flags) {
  std::vector<MeasuredHeads> heads;
  for (const std::string& path : flags.measured) heads.push_back(read_measured_heads(path));
  draw_calibration(flags.calibration, heads);
  return 0;
}

int report(const EvalFlags& flags) {
  const EvaluationFile file = read_evaluation(flags.output);
  print_report(flags, file.samples, file.header);
  return 0;
}

int run_suite(const EvalFlags& flags) {
  EvaluationRun run = run_of(flags);
  run.output = flags.output;
  const EvaluationResult result = run_evaluation(run);
  if (!result.file.samples.empty() || !result.stopped)
    print_report(flags, result.file.samples, result.file.header);
  if (!result.stopped) return 0;
  std::cerr << stopped_text(result) << '\n';
  return 1;
}

// What was asked for. Throws CLI::Error for flags that do not go together.
int (*asked(const EvalFlags& flags))(const EvalFlags&) {
  if (!flags.compared.empty()) {
    if (flags.suite.empty() && !flags.output.empty())
      throw CLI::RequiresError("--output beside --compare", "--suite");
    return compare;
  }
  if (!flags.measured.empty()) return draw;
  if (!flags.calibration.empty()) throw CLI::RequiredError("--compare, or what to draw,");
  if ((flags.report_only ? flags.output : flags.suite).empty())
    throw CLI::RequiredError(flags.report_only ? "--output" : "--suite");
  return flags.report_only ? report : run_suite;
}

}  // namespace

void add_eval_command(CLI::App& app, Run& run) {
  auto flags = std::make_shared<EvalFlags>();
  EvaluationOptions& options = flags->options;
  CLI::App& command =
      *app.add_subcommand("eval", "Measure ways to spend one budget of tokens on problems");
  flags->model.add_to(command);
  command.add_option("--suite", flags->suite, "Suite file of problems, see share/suites")
      ->default_str("none: needed to measure");
  command
      .add_option(
          "--arms", flags->arms,
          "Names of the arms to measure, comma separated; control_set and cures are sets of "
          "arms (docs/evaluation.md)")
      ->delimiter(',')
      ->default_str("control_set");
  command
      .add_option("--streams", options.shape.streams,
                  "Streams that share the budget; the config's max_streams allows 32 at most")
      ->check(at_least(1));
  command.add_option("--tokens", options.shape.tokens, "Token budget of each stream")
      ->check(in_range(1, Topology::kMaxStreamTokens));
  command
      .add_option("--temperature", options.temperature,
                  "Sampling temperature of the streams; answers take the likeliest token")
      ->check(in_real_range(0, 4));
  command
      .add_option("--max-answer-tokens", options.max_answer_tokens,
                  "Longest answer in tokens, beside the budget")
      ->check(in_range(1, 1 << 20));
  command
      .add_option("--limit", flags->limit,
                  "Problems of each entry of the suite, a family at one difficulty; 0: all")
      ->check(at_least(0));
  command
      .add_option("--parallel", options.parallel,
                  "Problems at once; times to answer mean something only with 1")
      ->check(in_range(1, 64));
  command.add_option("--baseline", flags->baseline, "Arm that the others are compared with")
      ->default_val("sequential");
  command
      .add_option("--output", flags->output,
                  "JSON-lines file that keeps samples, and that the same command goes on from; "
                  "with --compare a folder of such files")
      ->default_str("none; a run that is stopped makes one");
  auto* const report_only = command.add_flag("--report", flags->report_only,
                                             "Only the report of what --output holds already");
  auto* const compared =
      command
          .add_option("--compare", flags->compared,
                      "Two sides whose results are compared in pairs: each a file of --output, the "
                      "folder of a version, or `base`; the last two are measured on --suite")
          ->expected(2)
          ->excludes(report_only)
          ->default_str("none");
  for (const char* name : {"--version", "--adapter", "--heads"})
    compared->excludes(command.get_option(name));
  auto* const calibration =
      command
          .add_option("--calibration", flags->calibration,
                      "SVG file to draw: how well the heads of both sides are calibrated")
          ->default_str("none");
  command
      .add_option("measured", flags->measured,
                  "Folders of versions, or files of heads.jsonl, for --calibration alone")
      ->needs(calibration)
      ->excludes(compared)
      ->default_str("none");
  command.add_flag("--json", flags->json, "The report as one JSON object");
  command.callback([flags, &run] { run = [flags, ask = asked(*flags)] { return ask(*flags); }; });
}

}  // namespace polyphon
