// polyphon eval: the arms of the control set over a suite of problems, at equal budgets.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <set>

#include "app/command.h"
#include "app/load.h"
#include "base/error.h"
#include "base/replace_file.h"
#include "pipeline/comparison.h"
#include "pipeline/evaluation.h"
#include "pipeline/report.h"
#include "pipeline/run_header.h"

namespace polyphon {
namespace {

struct EvalFlags {
  ModelFlags model;
  std::string suite, output, baseline;
  std::vector<std::string> arms;
  std::vector<std::string> compared;  // two files, before and after
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

// What must be the same for samples to stand in one file.
Json header_of(const EvalFlags& flags, const Suite& suite, const Reasoner& reasoner,
               int64_t bytes_per_cell) {
  return {{"suite", suite.name},
          {"suite_digest", suite_digest(suite)},
          {"model", reasoner.model().info().description},
          {"model_digest", reasoner.identity().model_digest},
          {"version", reasoner.identity().version},
          {"config_hash", reasoner.identity().config_hash},
          {"streams", flags.options.shape.streams},
          {"tokens", flags.options.shape.tokens},
          {"temperature", flags.options.temperature},
          {"max_answer_tokens", flags.options.max_answer_tokens},
          {"bytes_per_cell", bytes_per_cell}};
}

// The samples that an earlier run of the same evaluation left in the file.
std::vector<EvaluationSample> resumed(const std::string& path, const Json& header) {
  if (path.empty() || access(path.c_str(), F_OK) != 0) return {};
  EvaluationFile file = read_evaluation(path);
  Json wanted = header;
  wanted.erase("config_hash");
  require_same_run(path, "evaluation", file.header, wanted);
  return std::move(file.samples);
}

void write_line(std::ostream& file, const Json& json) {
  file << json.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n' << std::flush;
}

// What an earlier run left, without a last line that it did not finish; samples are added to it.
std::ofstream open_samples(const std::string& path, const Json& header,
                           const std::vector<EvaluationSample>& samples) {
  if (path.empty()) return {};
  replace_file(path, [&](std::ostream& file) {
    write_line(file, {{"evaluation", header}});
    for (const EvaluationSample& sample : samples) write_line(file, to_json(sample));
  });
  return std::ofstream(path, std::ios::app);
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

// The same problems under the same terms; what answered them is what differs.
int compare_command(const EvalFlags& flags) {
  const EvaluationFile before = read_evaluation(flags.compared[0]),
                       after = read_evaluation(flags.compared[1]);
  for (const char* key : {"suite_digest", "streams", "tokens", "temperature", "max_answer_tokens"})
    if (before.header.value(key, Json()) != after.header.value(key, Json()))
      throw Error(
          ErrorCode::kInvalidArgument,
          fmt::format("{} and {} cannot be compared: their {} is {} and {}", flags.compared[0],
                      flags.compared[1], key, before.header.value(key, Json()).dump(),
                      after.header.value(key, Json()).dump()));
  const auto comparisons = compare_evaluations(before.samples, after.samples);
  if (!flags.json) {
    print_out(to_markdown(comparisons));
    return 0;
  }
  const Json json = {
      {"before", before.header}, {"after", after.header}, {"comparisons", to_json(comparisons)}};
  print_out(json.dump() + "\n");
  return 0;
}

int evaluate_command(const EvalFlags& flags) {
  if (!flags.compared.empty()) return compare_command(flags);
  if (flags.report_only) {
    const EvaluationFile file = read_evaluation(flags.output);
    print_report(flags, file.samples, file.header);
    return 0;
  }
  const Suite suite = read_suite(flags.suite);
  const std::vector<std::string> names = wanted_arms(flags);
  Config config = flags.model.config();
  config.engine.max_cached_prefixes = 0;  // every arm pays for its prompt
  auto reasoner = load_reasoner(config);
  const Json header = header_of(flags, suite, *reasoner, reasoner->engine()->bytes_per_cell());
  std::vector<EvaluationSample> samples = resumed(flags.output, header);
  std::set<std::string> done;
  for (const EvaluationSample& sample : samples) done.insert(sample.arm + " " + sample.problem());

  std::vector<WantedSample> wanted;
  std::vector<Problem> problems = suite_problems(suite, flags.limit);
  // One of each entry, then the next: a run that is cut short is a smaller suite, not another one.
  std::stable_sort(problems.begin(), problems.end(),
                   [](const Problem& a, const Problem& b) { return a.seed < b.seed; });
  for (const Problem& problem : problems)
    for (const std::string& name : names) {
      const std::string key = problem_name(problem.family, problem.difficulty, problem.seed);
      if (!done.contains(name + " " + key)) wanted.push_back({problem, &arm(name)});
    }
  std::ofstream file = open_samples(flags.output, header, samples);
  const bool screen = isatty(STDERR_FILENO) != 0;
  evaluate(*reasoner, wanted, flags.options, [&](const EvaluationSample& sample) {
    if (!flags.output.empty()) write_line(file, to_json(sample));
    if (!file) throw Error(ErrorCode::kInternal, "cannot write to " + flags.output);
    samples.push_back(sample);
    if (screen)
      std::cerr << fmt::format("\r{} of {} · {} {}\033[K", samples.size(),
                               done.size() + wanted.size(), sample.arm, sample.problem());
  });
  if (screen) std::cerr << "\r\033[K";
  print_report(flags, samples, header);
  return 0;
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
  command.add_option("--output", flags->output, "keep samples in this file, and go on from it");
  command.add_flag("--report", flags->report_only, "only report what --output holds");
  command.add_option("--compare", flags->compared, "two files of --output: the gain, paired")
      ->expected(2);
  command.add_flag("--json", flags->json, "the report as one JSON object");
  command.callback([flags, &run] {
    const bool compares = !flags->compared.empty();
    if (!compares && (flags->report_only ? flags->output : flags->suite).empty())
      throw CLI::RequiredError(flags->report_only ? "--output" : "--suite");
    run = [flags] { return evaluate_command(*flags); };
  });
}

}  // namespace polyphon
