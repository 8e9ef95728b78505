// Chooses the next token of one sequence from its logits. SIMD by Google Highway, chosen for the
// CPU at run time. One sampler belongs to one sequence; samplers of different sequences may run on
// different threads at once.
//
// The order is llama.cpp's default chain: logit bias, penalties, grammar, top-k, top-p, min-p,
// temperature, then a draw by the sequence's own random numbers. Ties go to the lower token id, so
// the choice depends on nothing but logits, parameters, history and seed.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "core/sampling.h"
#include "model/grammar.h"

namespace polyphon {

class Sampler {
 public:
  // `grammar` may be null. `with_logprob`: fill SampledToken::logprob even if params.logprobs is -1
  // (traces need it; costs one pass over the vocabulary).
  Sampler(const SamplingParams& params, std::unique_ptr<Grammar> grammar, bool with_logprob);

  // Tokens already in the sequence, for the penalties. Does not touch the grammar.
  void observe(std::span<const Token> tokens);

  // Chooses, remembers the choice for the penalties and advances the grammar. Overwrites `logits`.
  // Non-finite logits never win; if none is finite, or the grammar allows none, the result is
  // kNoToken and nothing is remembered or advanced.
  SampledToken sample(std::span<float> logits);  // [vocabulary_size]

  const SamplingParams& params() const { return params_; }
  bool has_grammar() const { return grammar_ != nullptr; }
  // As Grammar::fault(); null without a grammar.
  const char* grammar_fault() const { return grammar_ ? grammar_->fault() : nullptr; }
  // The next sample() also keeps the model's distribution before any filter, for
  // take_distribution().
  void keep_distribution() { keeps_distribution_ = true; }
  // Natural log-probabilities; empty when none was kept. [vocabulary_size]
  std::vector<float> take_distribution() { return std::move(distribution_); }
  // From now on sample() also measures the entropy of the model's distribution before any filter.
  void measure_entropy() { measures_entropy_ = true; }
  // Of the last sample(), in nats; 0 when not measured.
  double entropy() const { return entropy_; }
  // The next sample() does not draw: it takes the token that `rank` others are ahead of, or the
  // last one that may follow.
  void take_rank(int rank) { rank_ = rank; }
  // Later draws use the new seed and temperature (a stream that is re-seeded).
  void reseed(uint64_t seed, float temperature);

 private:
  void change(std::span<float> logits, Token token, float value);
  void apply_penalties(std::span<float> logits);
  float raw_logit(std::span<const float> logits, Token token) const;
  void remember(Token token);
  // None when no logit is finite.
  std::optional<Token> choose(std::span<float> logits);
  bool is_unfiltered() const;
  Token ranked(std::span<const float> logits, int rank);
  Token draw_unfiltered(std::span<const float> logits, float maximum);
  // These two fill candidates_, best first, with a superset of what top-p and min-p keep, and
  // return the mass that top-p is a share of.
  double keep_best_k(std::span<const float> logits, float maximum);
  double keep_within_reach(std::span<const float> logits, float maximum);
  double add_candidates(std::span<const float> logits, float maximum);
  void cut(double mass);
  Token draw(float maximum);
  std::vector<TokenLogprob> top_logprobs(std::span<const float> logits, float normaliser);

  struct Candidate {
    Token token;
    float logit;
    double weight;  // exp(logit - maximum)
  };

  SamplingParams params_;
  std::unique_ptr<Grammar> grammar_;
  bool with_logprob_;
  bool keeps_distribution_ = false;
  std::vector<float> distribution_;
  bool measures_entropy_ = false;
  double entropy_ = 0;
  std::optional<int> rank_;  // of the next sample()
  Random random_;
  std::deque<Token> history_;                     // the last penalty_last_n tokens
  std::unordered_map<Token, int> occurrences_;    // of tokens in history_
  std::vector<float> maxima_;                     // scratch, of blocks of logits
  std::vector<float> sums_;                       // scratch, of blocks of logits
  std::vector<std::pair<Token, float>> changed_;  // scratch: raw logits, before bias and penalties
  std::vector<Token> indices_;                    // scratch
  std::vector<Candidate> candidates_;             // scratch
};

}  // namespace polyphon
