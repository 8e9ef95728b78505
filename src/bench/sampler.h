// The sampling of one step beside llama.cpp's chain: eight rows of a vocabulary of 152k, with the
// default settings. No model.
#pragma once

#include "bench/figures.h"

namespace polyphon {

void bench_sampler(const OnFigure& on_figure);

}  // namespace polyphon
