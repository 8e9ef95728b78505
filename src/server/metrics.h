// /metrics for Prometheus: llama-server's names, and Polyphon's own. Thread-safe.
#pragma once

#include <memory>
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
  // The text of a scrape, with the engine's counts of now.
  std::string scrape(const EngineStatus& status);

 private:
  struct Families;
  std::unique_ptr<Families> families_;
};

}  // namespace polyphon
