#include "app/model_catalogue.h"

#include <strings.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "app/share_folder.h"
#include "base/error.h"
#include "core/trace.h"

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

std::string resolve_model(const std::string& given) {
  const std::string model = given.empty() ? default_model_name() : given;
  std::string names;
  for (const CatalogueEntry& entry : model_catalogue()) {
    names += (names.empty() ? "" : ", ") + entry.name;
    if (strcasecmp(entry.name.c_str(), model.c_str()) != 0) continue;
    if (entry.present) return models_folder() + "/" + entry.file;
    throw Error(ErrorCode::kNotFound, "model " + entry.name +
                                          " is not on this machine: run `polyphon models pull " +
                                          entry.name + "`");
  }
  if (model.find('/') != std::string::npos || model.ends_with(".gguf")) return model;
  throw Error(ErrorCode::kNotFound,
              "no model '" + model + "': give the path of a GGUF file, or one of " + names);
}

}  // namespace polyphon
