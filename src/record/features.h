// The features that heads read, beside a hidden state. Each decision of a head is recorded with its
// features. Plain data; every feature is in [0, 1] unless its comment says otherwise.
#pragma once

#include <array>

namespace polyphon {

// Features of a candidate for promotion (heads/gate.h).
struct GateFeatures {
  // Exp of the mean log-probability of the note's tokens; of all the stream's tokens for a
  // conclusion.
  double confidence = 0;
  double novelty = 0;       // 1 - the largest n-gram overlap with what was broadcast before
  double evidence = 0;      // 1 - exp(-the register's accumulator)
  double disagreement = 0;  // share of the streams' answers that are not the most frequent one
  double progress = 0;      // share of the phase's token budget that is spent
  double conclusion = 0;    // 1: a stream's conclusion, 0: a note

  static constexpr int kCount = 6;
  std::array<double, kCount> values() const {
    return {confidence, novelty, evidence, disagreement, progress, conclusion};
  }
};

// Features of a sentence that a stream has just finished (heads/memory_heads.h).
struct WriteFeatures {
  double confidence = 0;  // exp of the mean log-probability of its tokens
  double novelty = 0;     // 1 - the largest similarity to a node of memory
  double number = 0;      // 1 if the sentence states a number
  double result = 0;      // 1 if it contains "so", "therefore", "is", "equals" or "="
  double length = 0;      // number of words / 12, at most 1

  static constexpr int kCount = 5;
  std::array<double, kCount> values() const {
    return {confidence, novelty, number, result, length};
  }
};

// Features of a finished thought step (heads/value_head.h).
struct ValueFeatures {
  double confidence = 0;  // exp of the mean log-probability of the step's tokens
  // Exp of minus the mean entropy (nats) of the distributions they were sampled from.
  double certainty = 0;
  double conclusion = 0;  // 1 if the step states an answer
  double agreement = 0;   // share of the other streams' and branches' answers that equal this one
  double repetition = 0;  // share of the step's n-grams that the line of thought already contained
  double room = 0;        // share of the stream's token budget that is left
  // exp of the mean log-probability of the whole line of thought, this step included.
  double line_confidence = 0;

  static constexpr int kCount = 7;
  std::array<double, kCount> values() const {
    return {confidence, certainty, conclusion, agreement, repetition, room, line_confidence};
  }
};

}  // namespace polyphon
