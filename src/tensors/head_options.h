// What a training of heads is told. Plain state, no torch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace polyphon {

// How far weights may go from where they started: decay / 2 times the squared distance (L2-SP, Li
// et al. 2018, arXiv:1802.01483), so that with little data the documented values stay.
struct HeadDecay {
  double features = 0.001;  // of the features' weights and the bias
  double hidden = 1;        // of all weights on the hidden state
  double read = 10;         // of how far the read head's W goes from the identity
};

struct FitOptions {
  HeadDecay decay;
  double choice_weight = 1;  // of what searches should have chosen, beside the labels
  int most_steps = 300;      // of L-BFGS
};

struct TrialOptions {
  FitOptions fit;
  int folds = 5;  // parts of the problems
  uint64_t seed = 1;
};

// Where the examples come from.
struct HeadTraces {
  std::string model_path;
  std::vector<std::string> data_folders;  // of `polyphon selfplay`
  std::string version_folder;             // whose adapter made the traces; empty: none did
  std::string precision = "auto";         // of products: "auto", "bf16" or "f32"
};

struct HeadTrainOptions {
  HeadTraces traces;
  std::string out_folder;      // heads.gguf, heads.jsonl (the report), head_data.gguf
  std::string name = "heads";  // of the heads, in traces and answers
  TrialOptions trial;
  int read_rank = 32;  // of what memory's read head learns on top of the identity
  int threads = 0;     // 0: all physical cores
};

// Throws Error{kInvalidArgument} that names the option, its value and what it may be.
void check(const HeadTrainOptions& options);

}  // namespace polyphon
