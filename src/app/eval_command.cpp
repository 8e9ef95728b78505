// polyphon eval: the arms of the control set over a suite of problems, at equal budgets.
#include <set>

#include "app/command.h"
#include "app/eval_compare.h"
#include "app/evaluation_run.h"
#include "pipeline/head_metrics.h"
#include "pipeline/report.h"

namespace polyphon {
namespace {

struct EvalFlags {
  ModelFlags model;
  std::string suite, output, baseline, calibration;
  std::vector<std::string> arms;
  std::vector<std::string> compared;  // two sides, before and after
  std::vector<std::string> measured;  // whose calibration is drawn
  bool control_set = false, cures = false, report_only = false, json = false;
  int limit = 0;
  EvaluationOptions options;
};

std::vector<std::string> wanted_arms(const EvalFlags& flags) {
  std::vector<std::string> names = flags.arms;
  const auto add = [&](const std::vector<std::string>& set) {
    names.insert(names.end(), set.begin(), set.end());
  };
  if (flags.control_set || (names.empty() && !flags.cures)) add(control_set());
  if (flags.cures) add(collapse_cures());
  std::set<std::string> seen;
  std::erase_if(names, [&](const std::string& name) { return !seen.insert(name).second; });
  for (const std::string& name : names) arm(name);  // throws for one that is not known
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
  if (!flags.arms.empty() || flags.control_set || flags.cures) options.arms = wanted_arms(flags);
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
  const EvaluationFile file = run_evaluation(run);
  print_report(flags, file.samples, file.header);
  return 0;
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
  CLI::App& command = *app.add_subcommand("eval", "compare ways to spend one budget of tokens");
  flags->model.add_to(command);
  command.add_option("--suite", flags->suite, "a suite file, see share/suites");
  command.add_flag("--control-set", flags->control_set, "the arms of the control set (default)");
  command.add_flag("--cures", flags->cures, "what keeps streams apart, one cure at a time");
  command.add_option("--arms", flags->arms, "arms by name, comma separated")->delimiter(',');
  command.add_option("--streams", flags->options.shape.streams, "streams that share the budget")
      ->check(CLI::Range(1, Topology::kMaxStreams));
  command.add_option("--tokens", flags->options.shape.tokens, "budget of each stream")
      ->check(CLI::Range(1, Topology::kMaxStreamTokens));
  command.add_option("--temperature", flags->options.temperature, "of the streams")
      ->check(CLI::Range(0.0, 4.0));
  command.add_option("--max-answer-tokens", flags->options.max_answer_tokens, "beside the budget")
      ->check(CLI::Range(1, 1 << 20));
  command.add_option("--limit", flags->limit, "problems of each entry; 0: all")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--parallel", flags->options.parallel, "problems at once")
      ->check(CLI::Range(1, 64));
  command.add_option("--baseline", flags->baseline, "the arm that others are compared with")
      ->default_val("sequential");
  command.add_option("--output", flags->output,
                     "keep samples in this file, and go on from it; with --compare, in files of "
                     "this folder");
  auto* const report_only =
      command.add_flag("--report", flags->report_only, "only report what --output holds");
  auto* const compared =
      command
          .add_option("--compare", flags->compared,
                      "two of: a file of --output, a version's folder, `base`; the last two are "
                      "evaluated on --suite. The gain, paired")
          ->expected(2)
          ->excludes(report_only);
  for (const char* name : {"--version", "--adapter", "--heads"})
    compared->excludes(command.get_option(name));
  auto* const calibration =
      command.add_option("--calibration", flags->calibration,
                         "draw how well the heads of what is compared are calibrated: an SVG");
  command
      .add_option("measured", flags->measured,
                  "for --calibration without --compare: versions' folders, or files of heads.jsonl")
      ->needs(calibration)
      ->excludes(compared);
  command.add_flag("--json", flags->json, "the report as one JSON object");
  command.callback([flags, &run] { run = [flags, ask = asked(*flags)] { return ask(*flags); }; });
}

}  // namespace polyphon
