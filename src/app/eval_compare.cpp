#include "app/eval_compare.h"

#include <fmt/format.h>

#include <filesystem>

#include "app/command.h"
#include "base/error.h"
#include "core/version.h"
#include "deploy/load.h"
#include "deploy/model_catalogue.h"
#include "eval/comparison.h"
#include "eval/head_metrics.h"

namespace polyphon {
namespace {

constexpr const char* kBase = "base";

struct Side {
  std::string given;
  std::string name;              // of its file in the folder
  std::optional<Config> config;  // of what is still to be evaluated
  EvaluationFile evaluation;     // empty until then
  MeasuredHeads heads;           // of a version
};

// A side is what it says, whatever version, adapter or heads the config file names.
Config config_of(const CompareOptions& options, const std::string& version) {
  Config config = options.run->config;
  config.version = version;
  config.decoder.adapter.clear();
  config.heads.clear();
  return config;
}

Side read_side(const CompareOptions& options, const std::string& given) {
  Side side;
  side.given = side.name = given;
  const bool folder = std::filesystem::is_directory(given);
  const bool base =
      given == kBase || (options.run && !folder && given == options.run->config.model);
  if (!base && !folder) {
    if (!std::filesystem::exists(given))
      throw Error(
          ErrorCode::kNotFound,
          fmt::format("nothing at {}: --compare takes files of samples, folders of versions "
                      "and `base`",
                      given));
    side.evaluation = read_evaluation(given);
    return side;
  }
  if (!options.run)
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("{} has no samples yet: say with --suite what to evaluate it on", given));
  side.config = config_of(options, base ? "" : given);
  side.name = kBase;
  if (base) return side;
  const Version version = read_version(given);
  require_base("version " + version.name, version.base_digest,
               model_digest(resolve_model(side.config->model)));
  side.heads = read_measured_heads(given);
  side.name = side.heads.name;
  return side;
}

constexpr const char* kSuite = "suite_digest";
const std::vector<const char*> kTerms = {kSuite, "streams", "tokens", "temperature",
                                         "max_answer_tokens"};

void require_same(const std::vector<const char*>& keys, const std::string& first, const Json& one,
                  const std::string& second, const Json& other) {
  for (const char* key : keys)
    if (one.value(key, Json()) != other.value(key, Json()))
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("{} and {} cannot be compared: their {} is {} and {}", first, second,
                              key, one.value(key, Json()).dump(), other.value(key, Json()).dump()));
}

// A file beside a suite must be of it; beside what is evaluated now, under the same terms as well.
void require_terms(const CompareOptions& options, const std::vector<Side>& sides) {
  if (!options.run) return;
  const Json terms = evaluation_terms(options.run->suite, options.run->options);
  const bool files = !sides[0].config && !sides[1].config;
  for (const Side& side : sides)
    if (!side.config)
      require_same(files ? std::vector{kSuite} : kTerms, side.given, side.evaluation.header,
                   "suite " + options.run->suite.name, terms);
}

void evaluate_side(const CompareOptions& options, Side& side) {
  EvaluationRun run = *options.run;
  run.config = *side.config;
  if (!options.folder.empty()) run.output = options.folder + "/" + side.name + ".jsonl";
  EvaluationResult result = run_evaluation(run);
  if (result.stopped) throw Error(ErrorCode::kCancelled, stopped_text(result));
  side.evaluation = std::move(result.file);
}

void make_folder(const std::string& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed)
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("cannot make the folder {}: {}", folder, failed.message()));
}

}  // namespace

int compare_command(const CompareOptions& options) {
  std::vector<Side> sides;
  for (const std::string& given : options.sides) sides.push_back(read_side(options, given));
  Side &before = sides[0], &after = sides[1];
  if (before.config && after.config && before.name == after.name)
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} and {} are both called {}: nothing to tell them apart by",
                            before.given, after.given, before.name));
  require_terms(options, sides);
  const std::vector<MeasuredHeads> heads = {before.heads, after.heads};
  if (!options.calibration.empty()) draw_calibration(options.calibration, heads);
  if (!options.folder.empty() && (before.config || after.config)) make_folder(options.folder);
  for (Side& side : sides)
    if (side.config) evaluate_side(options, side);
  require_same(kTerms, before.given, before.evaluation.header, after.given,
               after.evaluation.header);

  const EvaluationComparison comparison =
      compare_evaluations(before.evaluation.samples, after.evaluation.samples, options.arms);
  if (!options.json) {
    print_out(fmt::format("before: {}, after: {}\n\n", before.given, after.given) +
              to_markdown(comparison) + to_markdown(heads));
    return 0;
  }
  Json json = to_json(comparison);
  json["before"] = before.evaluation.header;
  json["after"] = after.evaluation.header;
  json["heads"] = {{"before", before.heads.lines}, {"after", after.heads.lines}};
  print_out(json.dump() + "\n");
  return 0;
}

}  // namespace polyphon
