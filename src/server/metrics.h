// /metrics for Prometheus: llama-server's names, and Polyphon's own. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "engine/engine.h"
#include "reason/events.h"

namespace polyphon {

class Metrics {
 public:
  explicit Metrics(const std::string& version);
  ~Metrics();

  // An event of a session, as it passes; Finished fills the histograms.
  void observe(const SessionEvent& event);
  // The text of a scrape, with the engine's counts of now. Another version than before begins new
  // series, since its engine counts from 0.
  std::string scrape(const EngineStatus& status, const std::string& version);

 private:
  struct Families;
  std::shared_ptr<Families> families();

  std::mutex mutex_;
  std::shared_ptr<Families> families_;  // of one version; mutex_
};

}  // namespace polyphon
