// A training run: from options to adapter.gguf, through checkpoints that a killed run goes on from.
// Blocks for the whole run; one at a time in a process.
#pragma once

#include <atomic>
#include <functional>

#include "core/json.h"
#include "trainer/train_options.h"

namespace polyphon {

enum class TrainOutcome {
  kDone,
  kStopped,  // `stop` was set: the checkpoint holds all steps done
};

// `on_progress` gets one object a step, the same that is appended to progress.jsonl: {"step", "of",
// "epoch", "loss": {"tokens", and what weighs of "kl", "promotion"}, "learning_rate",
// "gradient_norm", "tokens", "tokens_per_second", "peak_memory_mb", "eta_seconds"}; after a
// validation also "validation":
// {"loss", "best_step", "best_loss"}. Of several processes rank 0 alone calls it, and writes.
// Throws Error{kInvalidArgument} for options, data, a checkpoint of another run, or too little
// memory; Error{kUnavailable} when another process of the run is gone, after rank 0 has saved, but
// for one that goes during a validation; Error{kInternal} for a loss that is not a number, naming
// the batch (the last checkpoint stays), or a full disk.
TrainOutcome train(const TrainOptions& options, const std::atomic<bool>& stop,
                   const std::function<void(const Json&)>& on_progress = {});

}  // namespace polyphon
