// Flags made from the settings table.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <string>

#include "deploy/settings.h"

namespace polyphon {

// What the command line says of settings, by their names.
class SettingFlags {
 public:
  // Adds the rows whose names begin with `prefix` and that flags may set. This must outlive the
  // command line's parsing.
  void add(CLI::App& command, const std::string& prefix);

  bool gives(const std::string& name) const { return given_.contains(name); }
  void apply(Config& config) const;

 private:
  std::map<std::string, Json> given_;
};

// The value that a flag's text stands for; it has passed the flag's check.
Json flag_value(SettingType type, const std::string& text);

}  // namespace polyphon
