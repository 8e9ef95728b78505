// A version: what training made of a base model, as a folder with adapter.gguf, heads.gguf (either
// may be missing) and version.json, which this is. Plain state.
#pragma once

#include <string>

#include "core/json.h"

namespace polyphon {

struct Version {
  std::string name;
  std::string base_digest;  // SHA-256 of the base model's file
  std::string data_hash;    // SHA-256 of the training data
  Json config;              // of the training run
  Json metrics;             // its last ones
};

// What training made, by content: a version that is trained again keeps its name. SHA-256 of the
// files; empty where there is none.
struct TrainedDigests {
  std::string adapter;
  std::string heads;

  bool operator==(const TrainedDigests&) const = default;
};
// One digest of the base model and what training made of it.
std::string version_digest(const std::string& base_digest, const TrainedDigests& trained);

// What an untrained model is served as.
std::string untrained_version(const std::string& model_digest);
// Throws Error{kInvalidArgument} with both digests when `what` was trained on another base than the
// model.
void require_base(const std::string& what, const std::string& base_digest,
                  const std::string& model_digest);

// The files of a version's folder; empty when it has none.
std::string version_adapter(const std::string& folder);
std::string version_heads(const std::string& folder);

// Throws Error{kNotFound} for no such folder, Error{kInvalidArgument} that names the member at
// fault.
Version read_version(const std::string& folder);
// Writes beside version.json and renames. Throws Error{kInternal}.
void write_version(const std::string& folder, const Version& version);

}  // namespace polyphon
