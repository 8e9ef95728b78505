// How far trainer and engine agree on recorded sessions: both compute every row of a trace, the
// engine through its views, the trainer in one pass with the mask that the trace implies.
#pragma once

#include <string>
#include <vector>

#include "record/trace.h"

namespace polyphon {

struct ParityOptions {
  std::string model_path;
  std::string version_folder;      // of the version that recorded them; empty: the base did
  std::string precision = "auto";  // of the trainer: "auto", "bf16" or "f32"
  // The engine computes with a copy of the model whose weights are F32: what is left is then not
  // the rounding of activations to 8 bits, which quantised products need.
  bool float_engine = false;
  std::string kv_type = "f16";
  int threads = 0;  // 0: all physical cores
};

struct ParityReport {
  std::string trace_id;
  int rows = 0;  // compared
  double top1_agreement = 0;
  // The same over rows where the engine's best is ahead of its second by kClearNats: elsewhere the
  // rounding of quantised products decides, in the engine itself from one kernel to another.
  static constexpr double kClearNats = 0.2;
  int clear_rows = 0;
  double clear_agreement = 0;
  // Of the token that the engine holds most likely: |log p by the trainer - log p by the engine|.
  double logprob_mean = 0, logprob_p99 = 0, logprob_max = 0;
  double divergence_mean = 0;  // KL(engine || trainer), nats
  double hidden_mean = 0;      // |h_trainer - h_engine| / |h_engine| of the normed state
  double hidden_max = 0;
  // Against the log-probabilities that the session recorded when it sampled.
  int recorded = 0;
  double recorded_trainer_mean = 0, recorded_engine_mean = 0;
};

Json to_json(const ParityReport& report);

// One report a trace. Throws Error as the parts do; {kInvalidArgument} for a trace of another model
// or version.
std::vector<ParityReport> measure_parity(const std::vector<Trace>& traces,
                                         const ParityOptions& options);

}  // namespace polyphon
