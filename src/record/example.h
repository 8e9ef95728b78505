// One example of training data: a sequence of tokens, the earlier tokens that each token sees, and
// the tokens to be learnt. src/data writes examples, src/trainer reads them. Plain data with a JSON
// form, one line of a file each.
//
// A plain sequence has positions from 0, and each row sees all rows before it:
//   {"tokens": [...], "targets": [[begin, end, weight], ...]}
// An example with several lines of thought adds runs:
//   "runs": [[begin, end, position, [[first, last + 1], ...]], ...]
// The rows [begin, end) of a run have the positions `position`, `position` + 1, ... A row sees the
// rows of its run up to itself and the listed ranges of earlier rows. The runs cover all rows, in
// order. Eight streams of one prompt that are then merged are ten runs:
//   [0, 40, 0, []], [40, 90, 40, [[0, 40]]], [90, 150, 40, [[0, 40]]], ...,
//   [400, 470, 100, [[0, 400]]]
// A fifth member of a run lists the rows that the run sees because of a promotion:
//   [[first, end, promotion], ...]
// `promotion` is an index into
//   "promotions": [{"features": [...], "state": row, "effect": ...}, ...]
// Streams whose states should differ from each other are listed in
//   "summaries": {"weight": ..., "streams": [[[begin, end], ...], ...]}
// The first line of a file may name the model whose tokenizer made the tokens:
//   {"model_digest": SHA-256 of the model}
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

// Rows that a run sees because of a promotion. If several promotions brought a row, the first one
// counts.
struct BroughtRows {
  int begin = 0;
  int end = 0;
  int promotion = 0;  // index into Example::promotions
  bool operator==(const BroughtRows&) const = default;
};

struct RowRun {
  int begin = 0;  // rows [begin, end)
  int end = 0;
  Position position = 0;       // position of the first row; later rows have the next positions
  std::vector<RowRange> sees;  // ranges of rows before the run, ascending and disjoint
  std::vector<BroughtRows> brought = {};  // the part of `sees` that promotions brought
  bool operator==(const RowRun&) const = default;
};

// Rows [begin, end) of one run that are learnt. Each is predicted from the row before it. `from`,
// if not -1, is the row that predicts the first target: a run's first row needs it, because the row
// before it belongs to another run. A negative weight makes the tokens less likely. In JSON, `from`
// is the fourth number.
struct TargetRange {
  int begin = 0;
  int end = 0;
  float weight = 1;
  int from = -1;
  bool operator==(const TargetRange&) const = default;
};

// The rows of each stream of a session. `weight` is the share of the streams that were right. No
// loss reads them now: pushing the streams' mean states apart did not help
// (docs/experiments/diversity-term.md).
struct StreamSummaries {
  float weight = 0;
  std::vector<std::vector<RowRange>> streams = {};  // empty, or at least two streams
  bool operator==(const StreamSummaries&) const = default;
};

// A promotion whose rows are seen, or whose effect is learnt.
struct ExamplePromotion {
  std::vector<float> features;  // the gate's features of the candidate
  int state = -1;               // the row whose state the gate read; -1: none
  // Share of right streams with the promotion minus the share without it; 0 if there was no effect
  // or it is not known.
  float effect = 0;
  bool operator==(const ExamplePromotion&) const = default;
};

struct Example {
  int line = 0;  // line number in the file, from 1; 0: not from a file
  Tokens tokens;
  std::vector<TargetRange> targets;
  std::vector<RowRun> runs = {};  // empty: a plain sequence
  StreamSummaries summaries = {};
  std::vector<ExamplePromotion> promotions = {};

  int rows() const { return static_cast<int>(tokens.size()); }
  int target_tokens() const;
  bool learns_effects() const;  // whether a promotion has an effect to learn
};

nlohmann::json to_json(const Example& example);
// Throws Error{kInvalidArgument} if the JSON has another form; if a target lies outside the tokens
// or crosses a run; if runs leave gaps or see rows that are not before them; or if there is nothing
// to learn (no target and no effect).
Example example_from_json(const nlohmann::json& json);

// Whether positions start at 0 and each row sees all rows before it, with or without runs.
bool is_plain(const Example& example);
std::vector<Position> positions_of(const Example& example);
// The rows that each row sees, itself included.
Visibility visibility_of(const Example& example);

}  // namespace polyphon
