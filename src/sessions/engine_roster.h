// The engines that sessions run on: the one that new sessions get, earlier ones until their last
// session has ended, and what all of them did. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace polyphon {

struct VersionStatus {
  std::string version;
  EngineStatus status;  // summed over the version's engines; of those that ended, the counts
};

class EngineRoster {
 public:
  // The engine ends with its last owner, and stays counted.
  std::shared_ptr<Engine> add(const std::string& version, std::unique_ptr<Engine> engine);

  // By version, in the order in which they were first served. The oldest that nothing runs on any
  // more are forgotten when there are many.
  std::vector<VersionStatus> status() const;

 private:
  struct Entry {
    std::string version;
    std::vector<const Engine*> engines;  // that are not destroyed yet
    EngineCounts ended;
  };
  struct Entries {
    std::mutex mutex;
    std::vector<Entry> all;  // mutex

    Entry* find(const std::string& version);  // with the mutex held; may be null
  };
  // Engines that end later than this roster are counted in it.
  std::shared_ptr<Entries> entries_ = std::make_shared<Entries>();
};

}  // namespace polyphon
