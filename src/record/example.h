// One line of training data: a sequence of tokens, what each of them sees, and which are learnt.
// Written by data building, read by the trainer. Plain state and its JSON form:
//   {"tokens": [...], "targets": [[begin, end, weight], ...]}
// is a plain sequence: positions from 0, each row sees all before it. A line that holds more than
// one line of thought says so in runs:
//   "runs": [[begin, end, position, [[first, last + 1], ...]], ...]
// Rows [begin, end) sit at positions from `position` on and see, beside the rows of the run up to
// themselves, the named ranges of earlier rows. The runs cover all rows, in order. Eight streams of
// one prompt that are then merged are ten runs:
//   [0, 40, 0, []], [40, 90, 40, [[0, 40]]], [90, 150, 40, [[0, 40]]], ...,
//   [400, 470, 100, [[0, 400]]]
// A fifth member of a run names what of it is there through a promotion: [[first, end, promotion],
// ...], promotion one of
//   "promotions": [{"features": [...], "state": row, "effect": ...}, ...]
// Streams whose states should not be alike are told by
//   "summaries": {"weight": ..., "streams": [[[begin, end], ...], ...]}
// A file's first line may name the model whose tokens these are: {"model_digest": SHA-256 of it}.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "core/token.h"
#include "record/visibility.h"

namespace polyphon {

inline constexpr const char* kExamplesModel = "model_digest";

struct RowRange {
  int begin = 0;
  int end = 0;
  bool operator==(const RowRange&) const = default;
};

// Rows that are seen because of a promotion, the first one that brought them.
struct BroughtRows {
  int begin = 0;
  int end = 0;
  int promotion = 0;  // in Example::promotions
  bool operator==(const BroughtRows&) const = default;
};

struct RowRun {
  int begin = 0;  // rows [begin, end)
  int end = 0;
  Position position = 0;                  // of the first row, the others follow it
  std::vector<RowRange> sees;             // of rows before the run, rising, apart from each other
  std::vector<BroughtRows> brought = {};  // of those it sees
  bool operator==(const RowRun&) const = default;
};

// Rows [begin, end) of one run are targets: each is predicted from the row before it and counts
// with the weight, negative to be made less likely. The first one is predicted from row `from` if
// that is not -1, which a run's first row needs: its sequence's last row is elsewhere. In JSON a
// fourth number.
struct TargetRange {
  int begin = 0;
  int end = 0;
  float weight = 1;
  int from = -1;
  bool operator==(const TargetRange&) const = default;
};

// Rows of each of a session's streams, whose mean states are held apart (trainer/diversity_loss.h),
// and how much that matters: the share of the streams that were right.
struct StreamSummaries {
  float weight = 0;
  std::vector<std::vector<RowRange>> streams = {};  // none, or two and more
  bool operator==(const StreamSummaries&) const = default;
};

// A promotion that rows see, or whose effect is learnt.
struct ExamplePromotion {
  std::vector<float> features;  // by which the gate chose it
  int state = -1;               // the row whose state the gate read; -1: none
  // Share of right streams with it less that without; 0 when it had no effect or none is known.
  float effect = 0;
  bool operator==(const ExamplePromotion&) const = default;
};

struct Example {
  int line = 0;  // in the file, from 1; 0: in none
  Tokens tokens;
  std::vector<TargetRange> targets;
  std::vector<RowRun> runs = {};  // empty: a plain sequence
  StreamSummaries summaries = {};
  std::vector<ExamplePromotion> promotions = {};

  int rows() const { return static_cast<int>(tokens.size()); }
  int target_tokens() const;
  bool learns_effects() const;  // of promotions
};

nlohmann::json to_json(const Example& example);
// Throws Error{kInvalidArgument}: not such an object, targets outside the tokens or across runs,
// runs with gaps or that see what is not before them, nothing to learn: no target and no effect.
Example example_from_json(const nlohmann::json& json);

// Positions from 0, each row sees all before it, whether runs say so or there are none.
bool is_plain(const Example& example);
std::vector<Position> positions_of(const Example& example);
// What each row sees, itself included.
Visibility visibility_of(const Example& example);

}  // namespace polyphon
