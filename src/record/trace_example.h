// A session's trace as training data: the rows that what is learnt depends on, each once, with the
// positions and the visibility that the session's views gave them. So eight streams share their
// prompt's rows, and an answer is learnt from the view that the merge made. Plain state, not
// thread-safe.
#pragma once

#include "record/example.h"
#include "record/trace.h"
#include "record/trace_promotion.h"

namespace polyphon {

class TraceExample {
 public:
  // As lay_out(), which it throws as; the trace is not kept.
  explicit TraceExample(const Trace& trace, const Tokens& anchor = {},
                        const std::vector<TracePromotion>& promotions = {});

  // The tokens of a span that the session sampled are learnt.
  void learn(int span, float weight);
  // What is learnt to come after a span's last token, in that token's view, instead of what came in
  // the session: an answer, the end of a turn. Nothing else sees it. CHECKs that the span has a
  // token.
  void learn_after(int span, const Tokens& tokens, float weight);

  // Streams, each the spans that it sampled, whose states are to be held apart. With fewer than two
  // that sampled something there is nothing to do.
  void hold_apart(const std::vector<std::vector<int>>& streams, float weight);

  // What became of a promotion's streams, by its number.
  void learn_effect(int promotion, float effect);

  bool learns() const { return !all_.targets.empty() || all_.learns_effects(); }

  // Without the runs and promotions that nothing learnt depends on. A sequence that only one line
  // of thought is left of is a plain one.
  Example example() const;

 private:
  const RowRun& run_of(int row) const;
  std::vector<bool> needed_runs() const;
  void keep_promotions(Example& example, const std::vector<int>& place) const;

  // Rows of a span's sampled tokens.
  std::vector<int> sampled_rows(int span) const;

  Example all_;                           // of every row
  std::vector<std::vector<int>> row_of_;  // [spans][tokens of the span]
  // [spans][tokens of the span]: the row that a sampled token was predicted from, else -1.
  std::vector<std::vector<int>> predicted_from_;
};

}  // namespace polyphon
