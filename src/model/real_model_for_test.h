// The model that tests named *RealModel run on: POLYPHON_TEST_MODEL, a small ChatML model.
#pragma once

#include <cstdlib>
#include <memory>

#include "model/language_model.h"

namespace polyphon {

inline std::string real_model_path() {
  const char* const path = std::getenv("POLYPHON_TEST_MODEL");
  return path ? path : "";
}

// Loaded once a process.
inline const LanguageModel& real_model() {
  static const std::unique_ptr<LanguageModel> model =
      load_language_model({.path = real_model_path()});
  return *model;
}

}  // namespace polyphon
