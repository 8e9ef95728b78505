#include "deploy/train_version.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "base/digest.h"
#include "base/error.h"
#include "data/rollouts.h"
#include "deploy/load.h"
#include "deploy/model_catalogue.h"

namespace polyphon {
namespace {

Json read_json_lines(const std::string& path) {
  std::ifstream file(path);
  Json lines = Json::array();
  for (std::string line; std::getline(file, line);)
    lines.push_back(Json::parse(line, nullptr, /*allow_exceptions=*/false));
  return lines;
}

std::string version_name(const TrainingJob& job) {
  if (!job.name.empty()) return job.name;
  const auto folder = std::filesystem::absolute(job.folder + "/").parent_path();
  return folder.filename().string();
}

// The folder's version if it is one, else a new one of the base.
Version version_for_heads(const TrainingJob& job, const std::string& digest) {
  if (std::filesystem::exists(job.folder + "/version.json")) return read_version(job.folder);
  return {version_name(job), digest, "", Json::object(), Json::object()};
}

void require_success(const TrainingJob& job, int code) {
  if (code != 0)
    throw Error(ErrorCode::kInternal, fmt::format("{} ended with {}", job.trainer, code));
}

}  // namespace

std::optional<Version> train_adapter(const TrainingJob& job, const std::string& data,
                                     const std::function<void(const Json&)>& on_step,
                                     const std::atomic<bool>& stop) {
  const std::string model = resolve_model(job.model);
  std::vector<std::string> arguments = {"lora", "--model", model,      "--data",
                                        data,   "--out",   job.folder, "--json"};
  arguments.insert(arguments.end(), job.options.begin(), job.options.end());
  Json last = Json::object(), options = Json::object();
  const auto on_line = [&](const std::string& line) {
    const Json step = Json::parse(line, nullptr, false);
    if (!step.is_object()) return;
    if (step.contains("options"))
      options = step["options"];
    else
      last = step;
    on_step(step);
  };
  require_success(job, run_trainer(job.trainer, arguments, on_line, stop));
  if (last.value("step", int64_t{0}) < last.value("of", int64_t{0})) return std::nullopt;
  if (version_adapter(job.folder).empty())
    throw Error(ErrorCode::kInternal, "the trainer left no adapter.gguf in " + job.folder);
  Version version{version_name(job),
                  model_digest(model),
                  sha256_file(data),
                  {{"trainer", job.options}, {"options", options}},
                  last};
  write_version(job.folder, version);
  return version;
}

Version train_heads(const TrainingJob& job, const std::vector<std::string>& selfplay_folders,
                    bool json, const std::function<void(const std::string&)>& on_line,
                    const std::atomic<bool>& stop) {
  const std::string model = resolve_model(job.model);
  Version version = version_for_heads(job, model_digest(model));
  std::vector<std::string> arguments = {"heads", "--model", model, "--out", job.folder, "--data"};
  arguments.insert(arguments.end(), selfplay_folders.begin(), selfplay_folders.end());
  if (!version_adapter(job.folder).empty())
    arguments.insert(arguments.end(), {"--version", job.folder});
  if (json) arguments.push_back("--json");
  arguments.insert(arguments.end(), job.options.begin(), job.options.end());
  require_success(job, run_trainer(job.trainer, arguments, on_line, stop));
  if (version_heads(job.folder).empty())
    throw Error(ErrorCode::kInternal, "the trainer left no heads.gguf in " + job.folder);
  std::string hashes;
  for (const std::string& folder : selfplay_folders) hashes += sha256_file(traces_path(folder));
  version.config["heads"] = {{"trainer", job.options}, {"data_hash", sha256(hashes)}};
  version.metrics["heads"] = read_json_lines(job.folder + "/heads.jsonl");
  write_version(job.folder, version);
  return version;
}

}  // namespace polyphon
