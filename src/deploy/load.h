// From settings to a running Reasoner: model file, weights, decode thread.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "core/version.h"
#include "deploy/config.h"
#include "sessions/reasoner.h"

namespace polyphon {

// Blocks while the weights load; shows progress on a terminal's standard error. Throws Error, also
// for an adapter or a version of another base, naming both digests.
std::unique_ptr<Reasoner> load_reasoner(const Config& config);

// What the configuration says to serve, as its files are now.
struct ConfiguredVersion {
  std::string name;  // the version's, the base's, or the base's with the adapter's digest
  std::string adapter_path, heads_path;  // empty: none
  TrainedDigests trained;
};
// Reads the files whole. Throws Error as load_reasoner().
ConfiguredVersion configured_version(const Config& config, const std::string& model_digest);

struct Reloaded {
  std::string version;               // the name, as answers and traces show it
  std::string digest;                // version_digest()
  std::vector<std::string> changed;  // of "version" (the name), "adapter" and "heads"
};

// Reads the configured version again, for the sessions from now on. Thread-safe.
class Reloader {
 public:
  // `reasoner` must outlive this.
  Reloader(Reasoner& reasoner, const Config& config) : reasoner_(reasoner), config_(config) {}

  // Swaps what has other content than what is served. What is running goes on as it is, so with
  // another adapter there are two contexts with a KV cache each for a while. Blocks while files are
  // read. Throws Error as load_reasoner(), and kUnavailable when the files change meanwhile; then
  // all stays as it was.
  Reloaded reload();

 private:
  Reasoner& reasoner_;
  const Config config_;
  std::mutex mutex_;  // one reload at a time
};

// Writes the model's untrained heads under that version's name. Throws Error as load_reasoner().
void write_untrained_heads(const Config& config, const std::string& version,
                           const std::string& path);

// SHA-256 of a model file, remembered by path, size and time of change: hashing takes a second a
// GiB.
std::string model_digest(const std::string& path);

}  // namespace polyphon
