// What registers and promotions cost the streams, in pairs with the same streams alone; and how
// many leaves a search decodes at once.
#pragma once

#include "bench/figures.h"
#include "core/topology.h"
#include "deploy/config.h"

namespace polyphon {

struct WorkspaceBenchOptions {
  int pairs = 9;         // sessions of each kind
  int cadence = 64;      // tokens of the longest stream between two notes of a register
  int simulations = 64;  // of the search
  Topology topology{{{8, 256}}};
};

// The whole result. Throws Error as load_reasoner().
Json bench_workspace(const WorkspaceBenchOptions& options, const Config& config,
                     const OnFigure& on_figure);

}  // namespace polyphon
