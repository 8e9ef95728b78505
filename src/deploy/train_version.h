// Training as a job: polyphon-train makes an adapter or heads in a folder, which becomes a version.
// Blocks until the job ends; any thread.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/version.h"
#include "deploy/trainer_process.h"

namespace polyphon {

struct TrainingJob {
  std::string model;                          // a catalogue name or path; empty: the default
  std::string folder;                         // of the version
  std::string name;                           // of the version; empty: the folder's
  std::string trainer = trainer_beside_us();  // the program
  std::vector<std::string> options;           // of the trainer, passed on
};

// Trains an adapter on a file of `polyphon data build`. `on_step` gets what the trainer says of
// each step. Nothing when it was stopped before its last step: the folder then holds a checkpoint
// and no version. Throws Error as run_trainer(), kInternal when the trainer fails.
std::optional<Version> train_adapter(const TrainingJob& job, const std::string& data,
                                     const std::function<void(const Json&)>& on_step,
                                     const std::atomic<bool>& stop);

// Trains the heads of the version in the folder, or of the base, on folders of self-play. `on_line`
// gets the trainer's report line by line, with `json` as JSON lines. Throws as train_adapter().
Version train_heads(const TrainingJob& job, const std::vector<std::string>& selfplay_folders,
                    bool json, const std::function<void(const std::string&)>& on_line,
                    const std::atomic<bool>& stop);

}  // namespace polyphon
