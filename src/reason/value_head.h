// What the end of a thought step is worth: an estimate of the probability that its line of thought
// comes to the right answer. A linear head over a few features, and a two-layer perceptron over the
// hidden state that is empty until it has been trained. Pure functions.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "core/token.h"
#include "core/trace.h"

namespace polyphon {

// Each in [0, 1].
struct ValueFeatures {
  double confidence = 0;  // exp of the mean log-probability of the step's tokens
  double certainty = 0;   // exp of minus the mean entropy they were drawn from, in nats
  double conclusion = 0;  // 1: the step states an answer
  double agreement = 0;   // share of the other answers, of streams and branches, that are the same
  double repetition = 0;  // share of the step's n-grams that were said before
  double room = 0;        // share of the stream's budget that is left
  // exp of the mean log-probability of all that the line has said, the step included.
  double line_confidence = 0;

  static constexpr int kCount = 7;
  std::array<double, kCount> values() const {
    return {confidence, certainty, conclusion, agreement, repetition, room, line_confidence};
  }
};
Json to_json(const ValueFeatures& features);
// Throws Json::exception.
ValueFeatures value_features_from_json(const Json& json);

// value = sigmoid(bias + weights . features + w2 . relu(w1 hidden + b1)). The starting values stand
// for no training, only for what one would guess: sure and new steps, answers that others share.
// An empty w2 adds nothing.
struct ValueHead {
  std::array<double, ValueFeatures::kCount> weights = {2.0, 1.0, 0.5, 1.5, -2.5, 0.25, 0.0};
  double bias = -1.5;
  std::vector<float> w1;  // [units, hidden_size], row by row
  std::vector<float> b1;  // [units]
  std::vector<float> w2;  // [units]
};

// In (0, 1). `hidden` may be empty, which leaves the perceptron out; else it is as long as the rows
// of w1, if there are any.
double value_of(const ValueHead& head, const ValueFeatures& features,
                std::span<const float> hidden);

// Share of the n-grams of `step` that `before` holds, or that `step` itself repeats; 0 when it has
// none.
double share_repeated(std::span<const Token> step, std::span<const Token> before, int n);

}  // namespace polyphon
