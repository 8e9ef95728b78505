// What a request may ask of the sampler. Plain state; engine/sampler.h gives it meaning.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/setting.h"
#include "core/token.h"

namespace polyphon {

// Defaults are llama-server's.
struct SamplingParams {
  float temperature = 0.8f;         // 0 is greedy
  int top_k = 40;                   // 0 is off
  float top_p = 0.95f;              // 1 is off
  float min_p = 0.05f;              // 0 is off
  float repetition_penalty = 1.0f;  // 1 is off; divides positive, multiplies negative logits
  float frequency_penalty = 0.0f;   // subtracted once for each earlier occurrence
  float presence_penalty = 0.0f;    // subtracted once if the token occurred
  int penalty_last_n = 64;          // tokens looked back on; -1 is all, 0 is none
  std::vector<std::pair<Token, float>> logit_bias;
  uint64_t seed = 0;
  int logprobs = -1;  // alternatives to report with each token; -1 reports nothing

  bool operator==(const SamplingParams&) const = default;
};

// Throws Error{kInvalidArgument} that names the field and the value: NaN, infinities, negative
// temperature, top_p outside (0, 1], and so on. `vocabulary_size` bounds the logit_bias tokens.
void validate(const SamplingParams& params, int vocabulary_size);

// The rows of the settings table for what a request may set by name and number.
const std::vector<Setting<SamplingParams>>& sampling_settings();

struct TokenLogprob {
  Token token = 0;
  float logprob = 0;  // natural logarithm, of the model's distribution before any filter
};

// One sampled token. kNoToken: no token may follow.
struct SampledToken {
  Token token = kNoToken;
  float logprob = 0;              // as in TokenLogprob; 0 unless logprobs >= 0 or asked for
  std::vector<TokenLogprob> top;  // params.logprobs alternatives, most likely first
};

// A constraint on generated text, in llama.cpp's GBNF. Empty `gbnf` is no constraint.
struct GrammarSpec {
  struct Trigger {
    enum class Kind { kToken, kWord, kPattern, kPatternFull } kind = Kind::kWord;
    std::string value;
    Token token = -1;  // kToken only
  };
  std::string gbnf;
  bool lazy = false;  // applies only from the first trigger on
  std::vector<Trigger> triggers;
  std::string generation_prompt;  // text the template has already opened; fed to the grammar first
  std::string field = "grammar";  // of the request that asks for it, for errors

  bool empty() const { return gbnf.empty(); }
};

}  // namespace polyphon
