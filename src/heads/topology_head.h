// The topology head: estimates, for a prompt, the log-odds that a session with a given topology
// gives the right answer. Inputs are the topology's shape and the hidden state of the prompt's last
// token. It corrects the topology that the model states when it plans. Pure functions.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "core/topology.h"

namespace polyphon {

// Features of one topology and one prompt. They describe the shape by numbers, not by its place in
// a list, because each budget offers other choices. Typical values are near [-1, 1]; logarithms
// have base 2.
struct TopologyFeatures {
  double length = 0;     // (log2 of the tokens of a stream of the last phase - 7) / 3
  double shortness = 0;  // 32 / tokens of that stream, at most 1: very short streams finish nothing
  double width = 0;      // log2 of the streams of the last phase / 3: these streams vote
  double before = 0;     // log2(1 + largest number of streams of an earlier phase) / 3
  double prompt = 0;  // (log2 of the prompt's tokens - 7) / 3; the same for all choices of a prompt
  double prompt_short = 0;  // prompt * shortness: a longer prompt may need longer streams

  static constexpr int kCount = 6;
  std::array<double, kCount> values() const {
    return {length, shortness, width, before, prompt, prompt_short};
  }
  // Terms that are multiplied with the prompt's hidden state: difficulty, need for length, for a
  // vote, and for an earlier phase.
  static constexpr int kStateTerms = 4;
  std::array<double, kStateTerms> state_terms() const { return {1, shortness, width, before}; }
};
// `topology` must have phases (not auto).
TopologyFeatures topology_features(const Topology& topology, int prompt_tokens);

// log-odds = weights . (1, features) + sum over k of state_terms[k] * (hidden_weights[k] . hidden).
// There are no default weights: an untrained head is not used.
struct TopologyHead {
  std::vector<float> weights;         // [1 + TopologyFeatures::kCount], or empty: untrained
  std::vector<float> hidden_weights;  // [kStateTerms, hidden_size], row by row, or empty

  bool is_trained() const { return !weights.empty(); }
};

// The head must be trained. `hidden` may be empty; its terms are then left out. Otherwise its size
// must equal that of a row of hidden_weights, if there are any.
double topology_log_odds(const TopologyHead& head, const TopologyFeatures& features,
                         std::span<const float> hidden);

// The head overrules the model's choice only if another choice is better by more than this, in
// log-odds (0.525 against 0.50, or 0.909 against 0.90). The model's choice is evidence too, and the
// last bits of a state must not decide.
inline constexpr double kCorrectionMargin = 0.1;

struct CorrectedTopology {
  size_t chosen = 0;                  // index into `choices`
  std::vector<double> probabilities;  // [choices]: probability of a right answer
};
// Chooses among `choices`. If `stated` is null, the best one is taken; of equal ones the first.
CorrectedTopology correct_topology(const TopologyHead& head, std::span<const Topology> choices,
                                   const Topology* stated, int prompt_tokens,
                                   std::span<const float> hidden);

}  // namespace polyphon
