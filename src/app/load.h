// From settings to a running Reasoner: model file, weights, decode thread.
#pragma once

#include <memory>

#include "app/config.h"
#include "base/clock.h"
#include "reason/reasoner.h"

namespace polyphon {

// Blocks while the weights load; shows progress on a terminal's standard error. Throws Error, also
// for an adapter or a version of another base, naming both digests.
std::unique_ptr<Reasoner> load_reasoner(const Config& config);

// Reads the configured heads, if any, for the sessions from now on. Throws Error as read_heads().
void load_heads(Reasoner& reasoner, const Config& config);

// SHA-256 of a model file, remembered by path, size and time of change: hashing takes a second a
// GiB.
std::string model_digest(const std::string& path);

}  // namespace polyphon
