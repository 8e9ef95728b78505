// Our engine and plain libllama on the same work in one process, so that every figure is a ratio:
// throughput, time to answer, merges.
#pragma once

#include <string>
#include <vector>

#include "bench/figures.h"
#include "deploy/config.h"

namespace polyphon {

struct StreamsBenchOptions {
  bool quick = false;  // short prompts and budgets, for a first look
  int repeats = 3;
  int budget = 0;  // tokens of depth and breadth; 0: 2048, or 512 when quick
  std::vector<std::string> what = {"throughput", "time_to_answer", "merge"};
  std::string commit;  // noted in the result
};

// The whole result. `context_cells` 0: as many as the options need. Throws Error as
// load_reasoner().
Json bench_streams(const StreamsBenchOptions& options, Config config, int context_cells,
                   const OnFigure& on_figure);

}  // namespace polyphon
