// What the checker found about a session of self-play. Plain data.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace polyphon {

// All problems of one family and difficulty.
struct Cell {
  std::string family;
  int difficulty = 1;

  auto operator<=>(const Cell&) const = default;
};

// The same session, played again with the same seeds but without one of its promotions.
struct Counterfactual {
  int promotion = 0;  // number of the promotion that was left out
  // Whether all tokens before the promotion came out the same. If not, part of the difference comes
  // from the last bits of the logits, which depend on what is decoded beside a session.
  bool same_before = true;
  std::vector<bool> right;  // by stream
};

// A question that was asked in a session of recall (tasks/recall_play.h).
struct AskedFact {
  int stream = 0;        // the stream that asks
  std::string question;  // the stream's last words when the read head scores the nodes
  std::string fact;      // the sentence that answers the question; empty if nobody said it
};

// For each node of a search's tree: whether the line of thought that led there came to the right
// answer.
struct TreeOutcome {
  int stream = 0;
  int search = 0;  // number of the search within its stream, from 0
  // Ids of nodes whose line has an end (played out, or nothing could follow).
  std::vector<int> nodes;
  std::vector<bool> right;  // [nodes]
};

struct Outcome {
  Cell cell;
  uint64_t seed = 0;        // seed that generated the problem
  std::vector<bool> right;  // by stream
  std::vector<Counterfactual> counterfactuals = {};
  std::vector<AskedFact> asked = {};  // only in a session of recall; `right` is then empty
  std::string proposed = "";          // the problem's text if the model proposed it, else empty
  std::vector<TreeOutcome> trees = {};
  // Whether the session's answer was right; set if it was played for the topology head.
  std::optional<bool> answer_right = {};

  int right_count() const;
  bool is_proposed() const { return !proposed.empty(); }
  // Whether some streams were right and some wrong.
  bool is_mixed() const;
};

// Share of right streams with the promotion minus the share without it.
double effect_of(const Outcome& outcome, const Counterfactual& without);

}  // namespace polyphon
