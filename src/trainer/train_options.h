// What one training run is told. Plain state and its JSON form, no torch.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "trainer/process_place.h"

namespace polyphon {

// Defaults suit a model of 135M parameters on two cores.
struct TrainOptions {
  std::string model_path;
  std::string data_path;
  std::string from_path;  // an adapter.gguf to go on from; empty: from the base
  std::string
      out_folder;  // adapter.gguf, state.gguf, progress.jsonl, heads.gguf if a gate is trained

  int rank = 16;
  float alpha = 32;
  float dropout = 0;
  std::vector<std::string> projections = {"attn_q",   "attn_k", "attn_v",  "attn_output",
                                          "ffn_gate", "ffn_up", "ffn_down"};

  double learning_rate = 2e-4;  // the peak
  double final_learning_rate_share = 0.1;
  int warmup_steps = 10;
  double weight_decay = 0;
  double clip_norm = 1;  // of the gradient; 0: not clipped

  // Of the divergence from the base at the targets (batch_loss.h); 0: the base is not asked.
  double kl_weight = 0;

  // Of the gate's cross-entropy against what promotions did; above 0 its log p is added where rows
  // see what a promotion brought (promotion_loss.h), and heads.gguf is written beside the adapter.
  double promotion_weight = 0;
  std::string from_heads_path;  // a heads.gguf to go on from; empty: the untrained heads

  int epochs = 1;
  int64_t max_steps = 0;           // 0: by epochs alone
  int batch_tokens = 1024;         // packed into one forward pass
  int accumulate = 1;              // passes a step
  bool checkpoint_layers = false;  // less memory, more time
  uint64_t seed = 1;
  std::string precision = "auto";
  std::string device = "auto";  // or cpu, cuda, cuda:N (device.h)

  // Held-out data: a file, or a share of the data; at most one of them. With such data adapter.gguf
  // is the best that was seen, else the last one.
  std::string validation_path;
  double validation_share = 0;
  int64_t validate_every_steps = 50;

  ProcessPlace processes;
  double peer_timeout_seconds = 300;  // how long another process may take for a step

  int threads = 0;  // 0: all physical cores, divided among the machine's processes
  int64_t save_every_steps = 50;
  double save_every_seconds = 300;
  bool resume = false;
};

// Throws Error{kInvalidArgument} that names the option, its value and what it may be.
void check(const TrainOptions& options);

// Only what the result depends on: two runs with the same are the same run.
nlohmann::json to_json(const TrainOptions& options);

// What should be told before a run of so many steps that is allowed; empty when nothing should.
std::string warning_of(const TrainOptions& options, int64_t steps);

// Linear from 0 to the peak over the warm-up, then a cosine down to the final share (Loshchilov,
// Hutter 2017, arXiv:1608.03983). Of step `step` from 0, of `steps` in all.
double learning_rate_at(const TrainOptions& options, int64_t step, int64_t steps);

}  // namespace polyphon
