#include "deploy/model_catalogue.h"

#include <fmt/format.h>
#include <strings.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/closest_word.h"
#include "base/error.h"
#include "core/json.h"
#include "deploy/share_folder.h"

namespace polyphon {
namespace {

Json catalogue_json() {
  const std::string path = share_path("models.json");
  std::ifstream file(path);
  const Json json = Json::parse(file, nullptr, false);
  if (json.is_discarded()) throw Error(ErrorCode::kInternal, "cannot read the catalogue " + path);
  return json;
}

}  // namespace

std::string models_folder() {
  if (const char* cache = std::getenv("POLYPHON_CACHE")) return std::string(cache) + "/models";
  const char* home = std::getenv("HOME");
  return std::string(home ? home : ".") + "/.cache/polyphon/models";
}

std::vector<CatalogueEntry> model_catalogue() {
  std::vector<CatalogueEntry> entries;
  const Json catalogue = catalogue_json();
  for (const Json& model : catalogue.at("models")) {
    CatalogueEntry entry{model.at("name"),   model.at("file"),    model.at("bytes"),
                         model.at("sha256"), model.at("licence"), false};
    std::error_code missing;
    entry.present =
        std::filesystem::file_size(models_folder() + "/" + entry.file, missing) == entry.bytes;
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::string default_model_name() { return catalogue_json().at("default"); }

std::optional<CatalogueEntry> missing_model(const std::string& model) {
  const std::string name = model.empty() ? default_model_name() : model;
  for (CatalogueEntry& entry : model_catalogue())
    if (strcasecmp(entry.name.c_str(), name.c_str()) == 0 && !entry.present)
      return std::move(entry);
  return std::nullopt;
}

std::string resolve_model(const std::string& given) {
  const std::string model = given.empty() ? default_model_name() : given;
  std::vector<std::string> names;
  for (const CatalogueEntry& entry : model_catalogue()) {
    names.push_back(entry.name);
    if (strcasecmp(entry.name.c_str(), model.c_str()) != 0) continue;
    if (entry.present) return models_folder() + "/" + entry.file;
    throw Error(ErrorCode::kNotFound, "model " + entry.name +
                                          " is not on this machine: run `polyphon models pull " +
                                          entry.name + "`");
  }
  if (model.find('/') != std::string::npos || model.ends_with(".gguf")) return model;
  const auto meant = closest(model, names);
  throw Error(ErrorCode::kNotFound,
              fmt::format("no model '{}'{}: give the path of a GGUF file, or one of {}", model,
                          meant ? fmt::format(" (did you mean '{}'?)", *meant) : "",
                          fmt::join(names, ", ")));
}

std::string model_title(const ModelInfo& info) {
  std::string name = info.name;
  const std::string file = std::filesystem::path(info.path).filename().string();
  for (const CatalogueEntry& entry : model_catalogue())
    if (entry.file == file) name = entry.name;
  // "llama 256M Q4_1": libllama's architecture, its guess of the size, and the quantisation.
  const std::string& description = info.description;
  const size_t size = description.find(' ');
  const size_t type = size == std::string::npos ? size : description.find(' ', size + 1);
  if (type != std::string::npos) name += ", " + description.substr(type + 1);
  const double millions = static_cast<double>(info.parameters) / 1e6;
  return name + (millions < 1000 ? fmt::format(", {:.0f}M parameters", millions)
                                 : fmt::format(", {:.1f}B parameters", millions / 1000));
}

}  // namespace polyphon
