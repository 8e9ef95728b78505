// /metrics for Prometheus: figures with llama-server's names, and Polyphon's own. Thread-safe.
//
// Each version of the model that is or was served has its own series; their sum is the server's.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "sessions/engine_roster.h"
#include "streams/events.h"

namespace polyphon {

// Every version of the model that is or was served has its series; their sum is the server's.
class Metrics {
 public:
  Metrics();
  ~Metrics();

  // Adds a finished session to the histograms of its version.
  void observe(const Finished& finished);
  // The text of a scrape, with the engines' current counts. `dropped`: sessions that were lost
  // before observe(). Versions that are not in `versions` lose their series.
  std::string scrape(const std::vector<VersionStatus>& versions, int64_t dropped);

 private:
  struct Families;
  std::shared_ptr<Families> families(const std::string& version);

  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Families>> families_;  // by version; mutex_
};

}  // namespace polyphon
