// Turns a session's trace into a training example. The example holds only the rows that the learnt
// tokens depend on, each row once, with the session's positions and visibility: streams share the
// rows of their prompt, and an answer is learnt from the merged view. Not thread-safe.
#pragma once

#include "record/example.h"
#include "record/trace.h"
#include "record/trace_promotion.h"

namespace polyphon {

class TraceExample {
 public:
  // Throws as lay_out() does. Does not keep a reference to the trace. `anchor`: see lay_out().
  explicit TraceExample(const Trace& trace, const Tokens& anchor = {},
                        const std::vector<TracePromotion>& promotions = {});

  // Makes the sampled tokens of a span targets.
  void learn(int span, float weight);
  // Adds `tokens` after the last token of a span, in that token's view, and makes them targets: for
  // example an answer or the end of a turn that should follow instead of what the session wrote. No
  // other row sees them. CHECKs that the span has a token.
  void learn_after(int span, const Tokens& tokens, float weight);

  // Marks streams whose states training should push apart. Each stream is a list of its spans. Does
  // nothing unless at least two of the streams sampled a token.
  void hold_apart(const std::vector<std::vector<int>>& streams, float weight);

  // Sets the effect of promotion number `promotion` (see ExamplePromotion::effect).
  void learn_effect(int promotion, float effect);

  bool learns() const { return !all_.targets.empty() || all_.learns_effects(); }

  // The example, without runs and promotions that no target depends on. If only one line of thought
  // is left, the example is a plain sequence.
  Example example() const;

 private:
  const RowRun& run_of(int row) const;
  std::vector<bool> needed_runs() const;
  void keep_promotions(Example& example, const std::vector<int>& place) const;

  // Rows of the sampled tokens of a span.
  std::vector<int> sampled_rows(int span) const;

  Example all_;                           // the example before unneeded rows are removed
  std::vector<std::vector<int>> row_of_;  // [spans][tokens of the span]
  // [spans][tokens of the span]: the row that a sampled token was predicted from; -1 if none.
  std::vector<std::vector<int>> predicted_from_;
};

}  // namespace polyphon
