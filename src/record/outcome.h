// What a checker said of a session that was played to learn from. Plain.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace polyphon {

// Problems of one family and difficulty.
struct Cell {
  std::string family;
  int difficulty = 1;

  auto operator<=>(const Cell&) const = default;
};

// The same session, with the same seeds, without one of its promotions.
struct Counterfactual {
  int promotion = 0;  // its number in the session's workspace
  // All tokens before the promotion came out the same: else the kernels' last bits, which depend on
  // what is decoded beside a session, are part of the difference.
  bool same_before = true;
  std::vector<bool> right;  // by stream
};

// A question in a session of recall.
struct AskedFact {
  int stream = 0;        // that asks
  std::string question;  // what it has just said when the read head looks
  std::string fact;      // the sentence that answers it; empty: nobody said it
};

// For each state of a search's tree: did the line that led to it come to the right answer?
struct TreeOutcome {
  int stream = 0;
  int search = 0;           // of the stream, from 0
  std::vector<int> nodes;   // whose line has an end: it was played out, or nothing could follow
  std::vector<bool> right;  // of each
};

struct Outcome {
  Cell cell;
  uint64_t seed = 0;        // of the problem
  std::vector<bool> right;  // by stream
  std::vector<Counterfactual> counterfactuals = {};
  std::vector<AskedFact> asked = {};  // of a session of recall, where `right` is empty
  std::string proposed = "";          // the question, where the model proposed it
  std::vector<TreeOutcome> trees = {};
  // Of a session that was played for the topology head: its answer was right.
  std::optional<bool> answer_right = {};

  int right_count() const;
  bool is_proposed() const { return !proposed.empty(); }
  // Some streams were right and some wrong.
  bool is_mixed() const;
};

// Share of right streams with the promotion, less that without it.
double effect_of(const Outcome& outcome, const Counterfactual& without);

}  // namespace polyphon
