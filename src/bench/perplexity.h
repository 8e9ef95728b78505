// A text's perplexity, and how far our kernels' logits are from those of ggml's own.
#pragma once

#include <string>

#include "bench/figures.h"
#include "deploy/config.h"

namespace polyphon {

struct PerplexityBenchOptions {
  std::string text;  // a file's path
  int tokens = 8192, window = 512, streams = 1;
  bool float_weights = false;  // of a copy of the model, for as long as the benchmark runs
};

// The context has `least_cells`, or as many as the options need. Throws Error as load_bench_pair(),
// and Error{kInvalidArgument} for a text that cannot be read or is shorter than a window.
void bench_perplexity(const PerplexityBenchOptions& options, Config config, int least_cells,
                      const OnFigure& on_figure);

}  // namespace polyphon
