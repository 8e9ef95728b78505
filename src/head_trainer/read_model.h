// Memory's read head as the trainer knows it: the score of heads/memory_heads.h, differentiable,
// and its loss. All in the type of their inputs: float, double in tests.
#pragma once

#include <optional>
#include <vector>

#include "heads/memory_heads.h"
#include "tensors/head_parameters.h"
#include "tensors/torch.h"

namespace polyphon {

// Looks of the read head, by session, padded to the largest.
struct ReadExamples {
  torch::Tensor keys;     // [sessions, nodes, hidden_size], of length 1; zero where there is none
  torch::Tensor states;   // [sessions, looks, hidden_size], as the keys
  torch::Tensor lexical;  // [sessions, looks, nodes]
  torch::Tensor there;    // [sessions, looks, nodes], 1: the look could choose the node
  torch::Tensor wanted;   // [sessions, looks] int64, the node's number; `nodes`: none of them
  torch::Tensor weights;  // [sessions, looks], 0: no look

  int64_t sessions() const { return keys.defined() ? keys.size(0) : 0; }
  ReadExamples of(const torch::Tensor& sessions) const;  // [m] int64
};

// One session's, as it is put together.
class ReadSession {
 public:
  void add_key(const torch::Tensor& state);  // [hidden_size], of the next node
  // `lexical` of each of `nodes`; `wanted` is one of them, or nothing.
  void add_look(const torch::Tensor& state, const std::vector<size_t>& nodes,
                const std::vector<double>& lexical, std::optional<size_t> wanted);

 private:
  friend ReadExamples padded(const std::vector<ReadSession>& sessions, int64_t hidden_size);
  struct Look {
    torch::Tensor state;
    std::vector<size_t> nodes;
    std::vector<double> lexical;
    std::optional<size_t> wanted;
  };
  std::vector<torch::Tensor> keys_;
  std::vector<Look> looks_;
};
ReadExamples padded(const std::vector<ReadSession>& sessions, int64_t hidden_size);

// W = 1 + D with D = (s left) (s right)^T / hidden_size, of low rank so that a few thousand looks
// can tell it; divided so that one learning rate suits it and the terms. `scale` s is not trained:
// it gives every number of the states a mean square of one.
struct ReadWeights {
  torch::Tensor terms;  // [2]: lexical_weight, hidden_weight
  torch::Tensor left;   // [hidden_size, rank], of the key; undefined: W stays the identity
  torch::Tensor right;  // [hidden_size, rank], of the reader's state
  torch::Tensor scale;  // [hidden_size]

  NamedParameters parameters() const;
  ReadWeights copy() const;
};

// The untrained head, to the bit: `right` starts at zero, `left` normal by `seed`. With `rank` 0
// there are neither.
ReadWeights starting_read(const ReadExamples& like, int rank, uint64_t seed);

torch::Tensor read_scores(const ReadWeights& head, const ReadExamples& examples);

// Cross-entropy of the softmax over the scores of a look's nodes and, as one more choice that
// stands for nothing, the threshold that a score must pass (van den Oord et al. 2018,
// arXiv:1807.03748, but for that choice). Scores are multiplied by kReadSharpness first.
inline constexpr double kReadSharpness = 20;
torch::Tensor read_loss(const torch::Tensor& scores, const ReadExamples& examples);

// As HeadDecay: the terms by `features`, and by `read` how far W has gone from the identity, D's
// squared Frobenius norm before scaling.
torch::Tensor decay_loss(const ReadWeights& head, const ReadWeights& start, const HeadDecay& decay);

ReadHead to_read(const ReadWeights& weights);

}  // namespace polyphon
