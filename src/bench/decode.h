// The same steps of the same rows, with our kernels and with ggml's own, in turn and on the same
// threads, so that every figure is a pair.
#pragma once

#include <string>
#include <vector>

#include "bench/figures.h"
#include "deploy/config.h"

namespace polyphon {

struct DecodeBenchOptions {
  int repeats = 5, steps = 8;
  std::vector<int> prompts = {128, 1024, 2048, 8192};  // cells in the cache
  std::vector<int> streams = {1, 2, 4, 8, 16, 32};
  std::vector<int> chunks = {64, 256, 512};  // tokens of a prompt that are read at a time
  std::vector<std::string> views = {"shared", "private", "mixed"};  // cells that rows see
};

// The context has `least_cells`, or as many as the options need. Throws Error as load_bench_pair().
void bench_decode(const DecodeBenchOptions& options, Config config, int least_cells,
                  const OnFigure& on_figure);

}  // namespace polyphon
