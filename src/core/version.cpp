#include "core/version.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "base/digest.h"
#include "base/error.h"
#include "base/replace_file.h"
#include "core/json_fault.h"

namespace polyphon {
namespace {

std::string json_path(const std::string& folder) { return folder + "/version.json"; }

std::string if_there(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored) ? path : "";
}

}  // namespace

std::string version_digest(const std::string& base_digest, const TrainedDigests& trained) {
  return sha256(
      fmt::format("base {}\nadapter {}\nheads {}\n", base_digest, trained.adapter, trained.heads));
}

std::string untrained_version(const std::string& model_digest) {
  return "base-" + model_digest.substr(0, 12);
}

void require_base(const std::string& what, const std::string& base_digest,
                  const std::string& model_digest) {
  if (base_digest != model_digest)
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} was trained on the base {}, but the model is {}", what, base_digest,
                            model_digest));
}

std::string version_adapter(const std::string& folder) {
  return if_there(folder + "/adapter.gguf");
}
std::string version_heads(const std::string& folder) { return if_there(folder + "/heads.gguf"); }

Version read_version(const std::string& folder) {
  std::ifstream file(json_path(folder));
  if (!file) throw Error(ErrorCode::kNotFound, "no version at " + json_path(folder));
  try {
    const Json json = Json::parse(file);
    Version version;
    json.at("name").get_to(version.name);
    json.at("base_digest").get_to(version.base_digest);
    json.at("data_hash").get_to(version.data_hash);
    version.config = json.at("config");
    version.metrics = json.at("metrics");
    if (version.name.empty())
      throw Error(ErrorCode::kInvalidArgument, json_path(folder) + ": name is empty");
    return version;
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::kInvalidArgument, json_path(folder) + ": " + json_fault(error));
  }
}

void write_version(const std::string& folder, const Version& version) {
  const Json json = {{"name", version.name},
                     {"base_digest", version.base_digest},
                     {"data_hash", version.data_hash},
                     {"config", version.config},
                     {"metrics", version.metrics}};
  replace_file(json_path(folder), [&](std::ostream& file) { file << json.dump(2) << '\n'; });
}

}  // namespace polyphon
