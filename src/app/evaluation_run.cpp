#include "app/evaluation_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <set>

#include "app/load.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/replace_file.h"
#include "core/version.h"
#include "pipeline/run_header.h"

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

EvaluationFile run_evaluation(const EvaluationRun& run) {
  Config config = run.config;
  config.engine.max_cached_prefixes = 0;  // every arm pays for its prompt
  const auto reasoner = load_reasoner(config);
  EvaluationFile result{header_of(run, *reasoner), {}};
  result.samples = resumed(run.output, result.header);
  const std::vector<WantedSample> wanted = wanted_samples(run, result.samples);
  const size_t all = result.samples.size() + wanted.size();
  std::ofstream file = open_samples(run.output, result);
  const bool screen = isatty(STDERR_FILENO) != 0;
  evaluate(*reasoner, wanted, run.options, [&](const EvaluationSample& sample) {
    if (!run.output.empty()) write_line(file, to_json(sample));
    if (!file) throw Error(ErrorCode::kInternal, "cannot write to " + run.output);
    result.samples.push_back(sample);
    if (screen)
      std::cerr << fmt::format("\r{} of {} · {} {}\033[K", result.samples.size(), all, sample.arm,
                               sample.problem());
  });
  if (screen) std::cerr << "\r\033[K";
  return result;
}

}  // namespace polyphon
