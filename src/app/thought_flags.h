// Options of the subcommands that think one problem at a time: how the thinking is done.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "deploy/config.h"
#include "sessions/reasoner.h"

namespace polyphon {

struct ThoughtFlags {
  std::string topology, merge;  // empty: the configuration's
  float temperature = 0.8f;
  std::optional<int> max_answer_tokens;

  void add_to(CLI::App& command);
  // What the flags leave open comes from the configuration. Throws Error{kInvalidArgument}.
  ThinkInput input(const Config& config) const;
};

}  // namespace polyphon
