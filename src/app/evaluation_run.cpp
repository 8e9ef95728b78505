#include "app/evaluation_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <set>

#include "app/progress.h"
#include "app/stop_signal.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/replace_file.h"
#include "core/version.h"
#include "data/run_header.h"
#include "deploy/load.h"

namespace polyphon {
namespace {

// Of all that training added to the model: what is trained anew may have its old name.
std::string trained_digest(const Config& config) {
  const std::string adapter =
      config.version.empty() ? config.decoder.adapter : version_adapter(config.version);
  std::string digests;
  for (const std::string& path : {adapter, heads_path(config)})
    digests += path.empty() ? "none" : sha256_file(path);
  return sha256(digests);
}

// What must be the same for samples to stand in one file.
Json header_of(const EvaluationRun& run, const Reasoner& reasoner) {
  Json header = evaluation_terms(run.suite, run.options);
  header.update({{"suite", run.suite.name},
                 {"model", reasoner.model().info().description},
                 {"model_digest", reasoner.identity().model_digest},
                 {"version", reasoner.identity().version},
                 {"trained_digest", trained_digest(run.config)},
                 {"config_hash", reasoner.identity().config_hash},
                 {"bytes_per_cell", reasoner.engine()->bytes_per_cell()}});
  return header;
}

// The samples that an earlier run of the same evaluation left in the file.
std::vector<EvaluationSample> resumed(const std::string& path, const Json& header) {
  if (path.empty() || access(path.c_str(), F_OK) != 0) return {};
  EvaluationFile file = read_evaluation(path);
  Json wanted = header;
  wanted.erase("config_hash");
  if (!file.header.contains("trained_digest")) wanted.erase("trained_digest");  // an older file
  require_same_run(path, "evaluation", file.header, wanted);
  return std::move(file.samples);
}

void write_line(std::ostream& file, const Json& json) {
  file << json.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n' << std::flush;
}

// What an earlier run left, without a last line that it did not finish; samples are added to it.
std::ofstream open_samples(const std::string& path, const EvaluationFile& kept) {
  if (path.empty()) return {};
  replace_file(path, [&](std::ostream& file) {
    write_line(file, {{"evaluation", kept.header}});
    for (const EvaluationSample& sample : kept.samples) write_line(file, to_json(sample));
  });
  return std::ofstream(path, std::ios::app);
}

// "eval-core.jsonl", or with a number that no file has.
std::string unused_name(const std::string& suite) {
  std::string name = fmt::format("eval-{}.jsonl", suite);
  for (int number = 2; access(name.c_str(), F_OK) == 0; ++number)
    name = fmt::format("eval-{}-{}.jsonl", suite, number);
  return name;
}

// Those that are not done.
std::vector<WantedSample> wanted_samples(const EvaluationRun& run,
                                         const std::vector<EvaluationSample>& samples) {
  std::set<std::string> done;
  for (const EvaluationSample& sample : samples) done.insert(sample.arm + " " + sample.problem());
  std::vector<WantedSample> wanted;
  std::vector<Problem> problems = suite_problems(run.suite, run.limit);
  // One of each entry, then the next: a run that is cut short is a smaller suite, not another one.
  std::stable_sort(problems.begin(), problems.end(),
                   [](const Problem& a, const Problem& b) { return a.seed < b.seed; });
  for (const Problem& problem : problems)
    for (const std::string& name : run.arms) {
      const std::string key = problem_name(problem.family, problem.difficulty, problem.seed);
      if (!done.contains(name + " " + key)) wanted.push_back({problem, &arm(name)});
    }
  return wanted;
}

}  // namespace

Json evaluation_terms(const Suite& suite, const EvaluationOptions& options) {
  return {{"suite_digest", suite_digest(suite)},
          {"streams", options.shape.streams},
          {"tokens", options.shape.tokens},
          {"temperature", options.temperature},
          {"max_answer_tokens", options.max_answer_tokens}};
}

EvaluationResult run_evaluation(const EvaluationRun& run) {
  Config config = run.config;
  config.engine.max_cached_prefixes = 0;  // every arm pays for its prompt
  const auto reasoner = load_reasoner(config);
  EvaluationResult result{.file = {header_of(run, *reasoner), {}}, .kept_in = run.output};
  std::vector<EvaluationSample>& samples = result.file.samples;
  samples = resumed(run.output, result.file.header);
  const std::vector<WantedSample> wanted = wanted_samples(run, samples);
  result.all = samples.size() + wanted.size();
  std::ofstream file = open_samples(run.output, result.file);
  const std::atomic<bool>& stop = stop_on_signals();
  Progress progress("samples", samples.size(), result.all);
  evaluate(
      *reasoner, wanted, run.options, SessionTerms{},
      [&](const EvaluationSample& sample) {
        if (!run.output.empty()) write_line(file, to_json(sample));
        if (!file) throw Error(ErrorCode::kInternal, "cannot write to " + run.output);
        samples.push_back(sample);
        progress.advance();
      },
      stop);
  result.stopped = samples.size() < result.all;
  if (result.stopped && result.kept_in.empty() && !samples.empty()) {
    result.kept_in = unused_name(run.suite.name);
    open_samples(result.kept_in, result.file);
  }
  return result;
}

std::string stopped_text(const EvaluationResult& result) {
  return fmt::format("stopped after {} of {} samples{}", result.file.samples.size(), result.all,
                     result.kept_in.empty()
                         ? ""
                         : fmt::format("; they are kept in {0}: the same command with --output {0} "
                                       "goes on from there",
                                       result.kept_in));
}

}  // namespace polyphon
