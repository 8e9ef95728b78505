// The engines that sessions run on: the one for new sessions, and earlier ones until their last
// session ends. Also sums what all of them did. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace polyphon {

struct VersionStatus {
  std::string version;
  // Summed over the version's engines; only counters for engines that have ended.
  EngineStatus status;
};

class EngineRoster {
 public:
  // Registers the engine. It is destroyed with its last owner; its counters stay in status().
  std::shared_ptr<Engine> add(const std::string& version, std::unique_ptr<Engine> engine);

  // One entry per version, in the order of their first use. If there are many versions, the oldest
  // ones without a running engine are forgotten.
  std::vector<VersionStatus> status() const;

 private:
  struct Entry {
    std::string version;
    std::vector<const Engine*> engines;  // engines that still exist
    EngineCounts ended;
  };
  struct Entries {
    std::mutex mutex;
    std::vector<Entry> all;  // mutex

    Entry* find(const std::string& version);  // call with the mutex held; may return null
  };
  // Shared with the engines, so that one that outlives this roster can still be counted.
  std::shared_ptr<Entries> entries_ = std::make_shared<Entries>();
};

}  // namespace polyphon
