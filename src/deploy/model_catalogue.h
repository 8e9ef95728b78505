// The models that Polyphon knows by name (share/polyphon/models.json) and where a pull puts them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/language_model.h"

namespace polyphon {

struct CatalogueEntry {
  std::string name;
  std::string file;
  uint64_t bytes = 0;
  std::string sha256;
  std::string licence;
  bool present = false;  // in models_folder(), with the right size
};

std::string models_folder();
std::vector<CatalogueEntry> model_catalogue();
std::string default_model_name();

// The catalogue's entry that is meant (a name in any case, or empty for the default) if its file is
// not on this machine.
std::optional<CatalogueEntry> missing_model(const std::string& model);

// The file of a catalogue name (in any case), of the default's when nothing is given, or what is
// given when it is a path. Throws Error{kNotFound} that says how to pull it, or which names there
// are.
std::string resolve_model(const std::string& given);

// How a person sees a loaded model: "SmolLM2-135M, Q4_1, 135M parameters". A file of the catalogue
// has its name there; another one the name that it gives itself.
std::string model_title(const ModelInfo& info);

}  // namespace polyphon
