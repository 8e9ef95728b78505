// Facts that a stream marked come back exactly after its window has passed over them, against the
// same stream without recalls, and against one that sees all of its text.
#pragma once

#include <cstdint>
#include <string>

#include "bench/figures.h"
#include "deploy/config.h"

namespace polyphon {

struct MemoryBenchOptions {
  int facts = 100, window = 512, times = 4, top_k = 2;  // times: windows of text after the facts
  uint64_t seed = 1;
  bool full = false;       // also with all of the text in view
  std::string trace_path;  // a file that traces are added to; empty: none
};

// The whole result. `context_cells` 0: as many as the options need. Throws Error as
// load_reasoner().
Json bench_memory(const MemoryBenchOptions& options, Config config, int context_cells,
                  const OnFigure& on_figure);

}  // namespace polyphon
