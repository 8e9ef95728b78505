// Facts that streams stated in passing, asked for by other streams in other words. Does memory
// write them, find them, and does the model then say them? The untrained heads beside the
// configured ones, with every sentence written, which leaves the choice to the read head, and with
// what the write head chooses; and memory that gives nothing back.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/figures.h"
#include "deploy/config.h"
#include "record/memory_request.h"

namespace polyphon {

struct RecallBenchOptions {
  int sessions = 10, nodes = 64;  // of each session, at most
  std::vector<double> write_thresholds = {MemoryRequest{}.write_threshold};  // one after another
  uint64_t seed = 1;
  bool seen_relations = false;  // facts of the kinds that training has
  std::string trace_path;       // a file that traces are added to; empty: none
};

// The whole result. `context_cells` 0: as many as a session needs. Throws Error as load_reasoner().
Json bench_recall(const RecallBenchOptions& options, Config config, int context_cells,
                  const OnFigure& on_figure);

}  // namespace polyphon
