// What the heads read of a candidate, a thought step and a sentence, beside a hidden state. Plain;
// recorded with each decision that a head made.
#pragma once

#include <array>

namespace polyphon {

// Of a candidate for promotion (heads/gate.h). Each in [0, 1].
struct GateFeatures {
  double confidence = 0;    // of the candidate's words
  double novelty = 0;       // 1 - the largest n-gram overlap with what was broadcast before
  double evidence = 0;      // 1 - exp(-the register's accumulator)
  double disagreement = 0;  // share of the streams' answers that are not the most frequent one
  double progress = 0;      // share of the phase's budget that is spent
  double conclusion = 0;    // 1: a stream's conclusion, 0: a note

  static constexpr int kCount = 6;
  std::array<double, kCount> values() const {
    return {confidence, novelty, evidence, disagreement, progress, conclusion};
  }
};

// Of a sentence that a stream has just ended (heads/memory_heads.h). Each in [0, 1].
struct WriteFeatures {
  double confidence = 0;  // exp of the mean log-probability of its tokens
  double novelty = 0;     // 1 - its largest similarity to a node
  double number = 0;      // 1: it states a number
  double result = 0;      // 1: it says "so", "therefore", "is", "equals" or "="
  double length = 0;      // its words over 12, at most 1

  static constexpr int kCount = 5;
  std::array<double, kCount> values() const {
    return {confidence, novelty, number, result, length};
  }
};

// Of the end of a thought step (heads/value_head.h). Each in [0, 1].
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

}  // namespace polyphon
