// The peer of our benchmarks and tests: plain libllama, used as llama.cpp's own examples use it.
// Its own context on the same file; no engine, no views beyond a shared prompt. Blocks; one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/token.h"

namespace polyphon {

class PlainLlama {
 public:
  // Throws as load_language_model(). `threads` 0: what the library takes by itself. `exact`: keys
  // and values in F32 and no flash attention, to compare numbers instead of times.
  PlainLlama(const std::string& model_path, int context_cells, int threads, bool exact = false);
  ~PlainLlama();

  struct Run {
    double prefill_seconds = 0;
    double decode_seconds = 0;
    int tokens = 0;  // decoded, over all sequences
  };
  // Prefills `prompt` once, copies its cells to `sequences` sequences and decodes `tokens` in each,
  // one row a sequence a step, sampled by llama.cpp's default chain.
  Run decode(const Tokens& prompt, int sequences, int tokens);

  // From now on the LoRA of this GGUF is added. Throws Error{kInvalidArgument} when libllama
  // refuses it.
  void use_adapter(const std::string& path);

  // Of every token, from nothing. [tokens][vocabulary]
  std::vector<std::vector<float>> logits(const Tokens& tokens);

  // Seconds to prefill the tokens from nothing and sample one.
  double prefill(const Tokens& tokens);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Median milliseconds a step of llama.cpp's default sampler chain over `rows` rows of random
// logits.
double plain_sampler_ms(int rows, int vocabulary_size, int repeats);

}  // namespace polyphon
