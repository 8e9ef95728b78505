// What the subcommands share: each adds itself to the command line and, when it is the one asked
// for, sets `run`, which main calls for the exit code (0 ok, 1 failed, 2 usage).
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>

#include "app/setting_flags.h"
#include "deploy/config.h"

namespace polyphon {

using Run = std::function<int()>;

// All of them, as a person sees them in `polyphon --help`, and the options of the program itself.
void add_commands(CLI::App& app, Run& run, std::string& log_level);

void add_think_command(CLI::App& app, Run& run);
void add_chat_command(CLI::App& app, Run& run);
void add_serve_command(CLI::App& app, Run& run);
void add_replay_command(CLI::App& app, Run& run);
void add_eval_command(CLI::App& app, Run& run);
void add_selfplay_command(CLI::App& app, Run& run);
void add_data_command(CLI::App& app, Run& run);
void add_train_command(CLI::App& app, Run& run);
void add_heads_command(CLI::App& app, Run& run);
void add_models_command(CLI::App& app, Run& run);
void add_doctor_command(CLI::App& app, Run& run);
void add_bench_command(CLI::App& app, Run& run);
void add_key_command(CLI::App& app, Run& run);

// Flags of every command that loads a model; they override the config file.
struct ModelFlags {
  std::string config_path;
  SettingFlags settings;
  std::optional<int> context_cells;  // what --ctx-size says

  void add_to(CLI::App& command);
  // Config file and flags together. Throws as read_config().
  Config config() const;
};

// "polyphon 0.1.0"
std::string version_text();

// Makes the trace file, for its owner only, unless it is there: one that cannot be written is known
// before anything is computed. Throws Error{kInvalidArgument}.
void prepare_trace_file(const std::string& path);

// Writes to standard output and sees that it arrived. Throws Error{kInternal} when it cannot (a
// full disk, a closed pipe).
void print_out(const std::string& text);

}  // namespace polyphon
