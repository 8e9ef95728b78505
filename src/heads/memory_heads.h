// The two heads of memory: what is worth keeping, and what is worth recalling. Plain, with starting
// values that stand for no training; pure functions.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "record/features.h"

namespace polyphon {

// Without confidence and novelty, which are not in the text.
WriteFeatures features_of_sentence(std::string_view sentence);

// p = sigmoid(bias + weights . features + hidden_weights . hidden). Before training: sure, new
// sentences that state a number as a result.
struct WriteHead {
  std::array<double, WriteFeatures::kCount> weights = {1.5, 1.5, 1.5, 1.0, 0.5};
  double bias = -4.0;
  std::vector<float> hidden_weights;  // [hidden_size], or empty
};
double write_probability(const WriteHead& head, const WriteFeatures& features,
                         std::span<const float> hidden);

// score = lexical_weight * tf-idf cosine + hidden_weight * max(0, k^T W h), where k and h are the
// node's key and the reader's state, both of length 1. W is the identity before training, so that
// the second term is their cosine; an untrained model's states are a weak key, hence its weight.
// Where a state is missing the lexical term has all the weight.
struct ReadHead {
  double lexical_weight = 0.9;
  double hidden_weight = 0.1;
  std::vector<float> bilinear;  // W [hidden_size, hidden_size], by rows; empty: the identity
};
// What one look scores nodes by: W h is computed once for all of them.
class ReadScorer {
 public:
  // Both must outlive this. `hidden` may be empty.
  ReadScorer(const ReadHead& head, std::span<const float> hidden);
  double score(double lexical, std::span<const float> key) const;

 private:
  double bilinear(std::span<const float> key) const;

  const ReadHead& head_;
  std::span<const float> hidden_;
  std::vector<double> transformed_;  // W h; empty where W is the identity
};

struct MemoryHeads {
  WriteHead write;
  ReadHead read;
};

}  // namespace polyphon
