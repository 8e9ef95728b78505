// Options of the subcommands that think one problem at a time: how the thinking is done.
#pragma once

#include <CLI/CLI.hpp>

#include "app/command.h"
#include "sessions/reasoner.h"

namespace polyphon {

struct ThoughtFlags {
  ModelFlags model;
  float temperature = SamplingParams{}.temperature;

  void add_to(CLI::App& command);
  // What flags and config say of a request. Throws Error{kInvalidArgument}.
  ThinkInput input(const Config& config) const;
};

}  // namespace polyphon
