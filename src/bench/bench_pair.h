// The same model twice: with our kernels and packed weights, and with ggml's own.
#pragma once

#include <memory>

#include "deploy/config.h"
#include "model/language_model.h"

namespace polyphon {

struct BenchEngine {
  std::unique_ptr<LanguageModel> model;
  std::unique_ptr<Decoder> decoder;
};

struct BenchPair {
  BenchEngine ours, stock;
};

// Throws Error as load_language_model() and make_decoder().
BenchPair load_bench_pair(const Config& config);

}  // namespace polyphon
