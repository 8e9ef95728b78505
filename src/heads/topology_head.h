// What a topology is worth for a prompt: the log-odds that a session which spends its budget so
// gives the right answer, from the topology's shape and the state of the prompt's last token. It
// corrects what the model states when it plans. Pure functions.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "core/topology.h"

namespace polyphon {

// Of one topology and one prompt. A shape is told by numbers, not by its place in a list, because
// each budget has other choices. All near [-1, 1] for what is usual, logarithms of base 2.
struct TopologyFeatures {
  double length = 0;        // (log tokens of a stream of the last phase - 7) / 3
  double shortness = 0;     // 32 / its tokens, at most 1: below some length nothing is finished
  double width = 0;         // log streams of the last phase / 3: of those who vote
  double before = 0;        // log (1 + the most streams of an earlier phase) / 3
  double prompt = 0;        // (log tokens of the prompt - 7) / 3: the same for all choices,
  double prompt_short = 0;  // so it is here that a longer prompt may want longer streams

  static constexpr int kCount = 6;
  std::array<double, kCount> values() const {
    return {length, shortness, width, before, prompt, prompt_short};
  }
  // What the prompt's state may weigh: how hard it is, how much it needs length, a vote, a merge.
  static constexpr int kStateTerms = 4;
  std::array<double, kStateTerms> state_terms() const { return {1, shortness, width, before}; }
};
// `topology` has phases.
TopologyFeatures topology_features(const Topology& topology, int prompt_tokens);

// log-odds = weights . (1, features) + sum over k of state_terms[k] (hidden_weights[k] . hidden).
// There are no starting values: an untrained head, without weights, is not asked.
struct TopologyHead {
  std::vector<float> weights;         // [1 + TopologyFeatures::kCount], or empty: untrained
  std::vector<float> hidden_weights;  // [kStateTerms, hidden_size], row by row, or empty

  bool is_trained() const { return !weights.empty(); }
};

// The head must be trained. `hidden` may be empty, which leaves its terms out; else it is as long
// as the rows of hidden_weights, if there are any.
double topology_log_odds(const TopologyHead& head, const TopologyFeatures& features,
                         std::span<const float> hidden);

// What the model stated stays unless another choice is better by more than this, in log-odds: 0.525
// against 0.50, or 0.909 against 0.90. A statement is evidence too, and last bits of a state should
// not decide.
inline constexpr double kCorrectionMargin = 0.1;

struct CorrectedTopology {
  size_t chosen = 0;                  // index of a choice
  std::vector<double> probabilities;  // of a right answer, by choice
};
// Without a statement (`stated` is null) the best choice is taken. Of equal ones the first.
CorrectedTopology correct_topology(const TopologyHead& head, std::span<const Topology> choices,
                                   const Topology* stated, int prompt_tokens,
                                   std::span<const float> hidden);

}  // namespace polyphon
