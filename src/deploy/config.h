// The effective settings: defaults, then the TOML file, then flags.
#pragma once

#include <string>

#include "deploy/server_options.h"
#include "engine/engine.h"
#include "model/language_model.h"
#include "streams/options.h"

namespace polyphon {

struct Config {
  std::string model = "";    // catalogue name or path; empty: the catalogue's default
  std::string version = "";  // a folder (core/version.h) whose adapter and heads are served
  ModelOptions model_options;
  DecoderOptions decoder;
  std::string kernels = "own";  // "stock": ggml's, for comparison
  EngineOptions engine;
  std::string heads = "";  // a GGUF of heads (heads/heads.h); empty: the untrained ones
  ReasonOptions reason;
  ServerOptions server;
};

// Reads what docs/configuration.md lists over the defaults: the rows of deploy/settings.h, and
// [[strategies]] and [[registers]]. Throws Error{kNotFound} or Error{kInvalidArgument}: a key that
// is not known, a wrong type, a value out of range, each with the key and the line.
Config read_config(const std::string& path);
Config parse_config(const std::string& toml, const std::string& name);

// What the settings of the server stand for: reads the keys of its key file, makes the data folder
// and places traces and memory there, names the served model. Throws Error{kNotFound,
// kInvalidArgument}.
void resolve_server_files(Config& config);

// Where the heads are: those that are named, else the version's; empty: the untrained ones.
std::string heads_path(const Config& config);

// SHA-256 of all that changes what a session does.
std::string config_hash(const Config& config);

}  // namespace polyphon
