// The two heads of memory. The write head decides which sentences become nodes; the read head
// decides which nodes to recall. The default weights are guesses, not trained. Pure functions.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "record/features.h"

namespace polyphon {

// Features of a sentence's text. Leaves confidence and novelty at 0: they are not in the text.
WriteFeatures features_of_sentence(std::string_view sentence);

// p = sigmoid(bias + weights . features + hidden_weights . hidden). The default weights favour
// confident, new sentences that state a number as a result.
struct WriteHead {
  std::array<double, WriteFeatures::kCount> weights = {1.5, 1.5, 1.5, 1.0, 0.5};
  double bias = -4.0;
  std::vector<float> hidden_weights;  // [hidden_size], or empty
};
double write_probability(const WriteHead& head, const WriteFeatures& features,
                         std::span<const float> hidden);

// score = lexical_weight * tf-idf cosine + hidden_weight * max(0, k^T W h), where k is the node's
// key and h the reader's hidden state, both scaled to length 1. Before training W is the identity,
// so the second term is their cosine. It has a small default weight, because states of an untrained
// model are weak keys. If k or h is missing, the lexical term gets all the weight.
struct ReadHead {
  double lexical_weight = 0.9;
  double hidden_weight = 0.1;
  std::vector<float> bilinear;  // W [hidden_size, hidden_size], by rows; empty: the identity
};
// Scores nodes for one reader; W h is computed once for all nodes.
class ReadScorer {
 public:
  // `head` and `hidden` must outlive this object. `hidden` may be empty.
  ReadScorer(const ReadHead& head, std::span<const float> hidden);
  double score(double lexical, std::span<const float> key) const;

 private:
  double bilinear(std::span<const float> key) const;

  const ReadHead& head_;
  std::span<const float> hidden_;
  std::vector<double> transformed_;  // W h; empty if W is the identity
};

struct MemoryHeads {
  WriteHead write;
  ReadHead read;
};

}  // namespace polyphon
