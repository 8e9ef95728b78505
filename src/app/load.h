// From settings to a running Reasoner: model file, weights, decode thread.
#pragma once

#include <memory>

#include "app/config.h"
#include "base/clock.h"
#include "sessions/reasoner.h"

namespace polyphon {

// Blocks while the weights load; shows progress on a terminal's standard error. Throws Error, also
// for an adapter or a version of another base, naming both digests.
std::unique_ptr<Reasoner> load_reasoner(const Config& config);

// Reads the configured version again, for the sessions from now on: its heads, and its adapter when
// it has another name than the one that is served. What is running goes on as it is, so for a while
// there are two contexts with a KV cache each. Throws Error as load_reasoner(); then all stays as
// it was.
void reload_version(Reasoner& reasoner, const Config& config);

// What is served, by name: the base of that digest, or what training made of it, whose adapter goes
// into `decoder`. Throws Error as load_reasoner().
std::string apply_version(const Config& config, const std::string& digest, DecoderOptions& decoder);

// SHA-256 of a model file, remembered by path, size and time of change: hashing takes a second a
// GiB.
std::string model_digest(const std::string& path);

}  // namespace polyphon
