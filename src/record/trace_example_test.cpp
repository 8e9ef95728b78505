#include "record/trace_example.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/random.h"
#include "record/trace_builder_for_test.h"
#include "record/trace_layout.h"

namespace polyphon {
namespace {

// An example that learns every token that was predicted from a token of its own sequence.
Example everything_of(const Trace& trace) {
  TraceExample example(trace);
  for (size_t span = 0; span < trace.spans.size(); ++span) example.learn(static_cast<int>(span), 1);
  return example.example();
}

void sample_all(Trace& trace) {
  for (TraceSpan& span : trace.spans) span.logprobs.assign(span.tokens.size(), -1);
}

// Expects that the example's rows have the same positions, visibility and predictors as in the
// layout. Finds rows by their token, because all tokens differ. Returns the number of targets.
int expect_as_laid_out(const Example& example, const TraceLayout& layout) {
  std::map<Token, int> row_of;
  for (int row = 0; row < layout.rows(); ++row)
    row_of[layout.tokens[static_cast<size_t>(row)]] = row;
  const auto tokens_seen = [](const Visibility& visibility, int row, const Tokens& tokens) {
    std::set<Token> seen;
    visibility.row(row).for_each(
        [&](int other) { seen.insert(tokens[static_cast<size_t>(other)]); });
    return seen;
  };
  const Visibility visibility = visibility_of(example);
  const std::vector<Position> positions = positions_of(example);
  for (int row = 0; row < example.rows(); ++row) {
    const Token token = example.tokens[static_cast<size_t>(row)];
    const int there = row_of.at(token);
    EXPECT_EQ(positions[static_cast<size_t>(row)], layout.positions[static_cast<size_t>(there)]);
    EXPECT_EQ(tokens_seen(visibility, row, example.tokens),
              tokens_seen(layout.visibility, there, layout.tokens))
        << token;
  }
  int targets = 0;
  for (const TargetRange& range : example.targets)
    for (int row = range.begin; row < range.end; ++row, ++targets) {
      const int from = row == range.begin && range.from >= 0 ? range.from : row - 1;
      const int there = row_of.at(example.tokens[static_cast<size_t>(row)]);
      const int predictor = layout.predictors[static_cast<size_t>(there)];
      EXPECT_GE(predictor, 0);
      if (predictor < 0) continue;
      EXPECT_EQ(example.tokens[static_cast<size_t>(from)],
                layout.tokens[static_cast<size_t>(predictor)]);
    }
  return targets;
}

int sampled_tokens(const TraceLayout& layout) {
  return static_cast<int>(std::count_if(layout.predictors.begin(), layout.predictors.end(),
                                        [](int predictor) { return predictor >= 0; }));
}

// A random session: views open as copies of parts of other views, decode side by side, take in and
// lose cells, and close.
Trace random_session(uint64_t seed) {
  Random random(seed);
  const auto below = [&](int limit) {
    return static_cast<int>(random.next() % static_cast<uint64_t>(limit));
  };
  TraceBuilder b;
  std::vector<Position> next = {3};  // by sequence
  std::vector<int> open = {0};
  b.edit(0, EditKind::kOpen, 0);
  b.span(0, 0, {-1, -1, 0});
  for (Step step = 1; step < 24; ++step) {
    const int source = open[static_cast<size_t>(below(static_cast<int>(open.size())))];
    const auto target = static_cast<size_t>(below(static_cast<int>(open.size())));
    const Position begin = below(4), end = 1 + below(next[static_cast<size_t>(source)]);
    switch (below(5)) {
      case 0:
      case 1: {
        const int fresh = static_cast<int>(next.size());
        b.edit(step, EditKind::kOpen, fresh);
        b.edit(step, EditKind::kJoin, fresh, source, 0, end);
        next.push_back(end);
        open.push_back(fresh);
        break;
      }
      case 2:
        b.edit(step, EditKind::kJoin, open[target], source, begin, end);
        next[static_cast<size_t>(open[target])] =
            std::max(next[static_cast<size_t>(open[target])], end);
        break;
      case 3:
        b.edit(step, EditKind::kDrop, open[target], -1, begin, begin + 1);
        break;
      default:
        if (open.size() < 3) break;
        b.edit(step, EditKind::kClose, open[target]);
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(target));
    }
    for (const int sequence : open) {
      if (below(4) == 0) continue;
      Position& at = next[static_cast<size_t>(sequence)];
      const int count = 1 + below(2);
      b.span(sequence, at, std::vector<Step>(static_cast<size_t>(count), step));
      at += count;
    }
  }
  sample_all(b.trace);
  return b.trace;
}

TEST(parity, OfATraceExampleAndItsSession) {
  Trace trace = two_streams();
  sample_all(trace);
  const TraceLayout layout = lay_out(trace);
  const Example example = everything_of(trace);
  EXPECT_EQ(example.rows(), layout.rows());
  EXPECT_EQ(expect_as_laid_out(example, layout), sampled_tokens(layout));
  EXPECT_EQ(expect_as_laid_out(example_from_json(to_json(example)), layout),
            sampled_tokens(layout));
}

TEST(parity, OfTraceExamplesAndRandomSessions) {
  size_t most_runs = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const Trace trace = random_session(seed);
    const TraceLayout layout = lay_out(trace);
    const Example example = everything_of(trace);
    EXPECT_EQ(expect_as_laid_out(example, layout), sampled_tokens(layout)) << "seed " << seed;
    EXPECT_NO_THROW(example_from_json(to_json(example))) << "seed " << seed;
    most_runs = std::max(most_runs, example.runs.size());
  }
  EXPECT_GE(most_runs, 16u);
}

TEST(parity, OfATraceExampleWithPlacedCells) {
  Trace trace = placed_cells();
  trace.spans[2].logprobs = {-1, -1};
  const Tokens anchor = {7, 8};
  TraceExample example(trace, anchor);
  example.learn(2, 1);
  EXPECT_EQ(expect_as_laid_out(example.example(), lay_out(trace, anchor)), 2);
  EXPECT_EQ(example.example().rows(), 10);
}

TEST(TraceExample, OneStreamOfSeveralIsAPlainSequence) {
  Trace trace = two_streams();
  std::erase_if(trace.edits, [](const TraceEdit& edit) { return edit.step >= 3; });
  trace.spans.resize(3);
  trace.spans[2].logprobs = {NAN, -1, -1, -1};
  TraceExample streams(trace);
  streams.learn(2, 0.5f);
  streams.learn_after(2, {7}, 0.5f);
  const Example example = streams.example();
  EXPECT_TRUE(example.runs.empty());
  EXPECT_EQ(example.tokens, (Tokens{0, 1, 2, 200, 201, 202, 203, 7}));
  EXPECT_EQ(example.targets, (std::vector<TargetRange>{{4, 8, 0.5f, -1}}));
}

TEST(TraceExample, OnlySampledTokensAreLearnt) {
  Trace trace = two_streams();
  for (TraceSpan& span : trace.spans) span.logprobs.assign(span.tokens.size(), NAN);
  TraceExample example(trace);
  for (int span = 0; span < 5; ++span) example.learn(span, 1);
  EXPECT_TRUE(example.example().targets.empty());
}

TEST(TraceExample, SummariesHoldTheRowsThatStreamsSampled) {
  Trace trace = two_streams();
  sample_all(trace);
  trace.spans[2].logprobs = {NAN, NAN, -1, -1};  // the strategy's words were fed
  TraceExample example(trace);
  example.learn(4, 1);
  example.hold_apart({{1, 4}, {2}}, 0.5f);
  const Example all = example.example();
  EXPECT_EQ(all.summaries.weight, 0.5f);
  std::vector<std::set<Token>> tokens;
  for (const auto& stream : all.summaries.streams) {
    std::set<Token>& of_stream = tokens.emplace_back();
    for (const RowRange& range : stream)
      for (int row = range.begin; row < range.end; ++row)
        of_stream.insert(all.tokens[static_cast<size_t>(row)]);
  }
  // The first token of a stream has no predictor in its own sequence, so it is not learnt.
  EXPECT_EQ(tokens, (std::vector<std::set<Token>>{{101, 102, 103, 400}, {202, 203}}));
  EXPECT_EQ(example_from_json(to_json(all)).summaries, all.summaries);

  TraceExample alone(trace);
  alone.learn(4, 1);
  alone.hold_apart({{1, 4}, {}}, 0.5f);
  EXPECT_EQ(alone.example().summaries, StreamSummaries());
}

// For each row (by its token): the tokens that the row sees because of a promotion, and which one.
std::map<Token, std::map<Token, int>> brought_to(const Example& example) {
  std::map<Token, std::map<Token, int>> all;
  for (const RowRun& run : example.runs)
    for (int row = run.begin; row < run.end; ++row)
      for (const BroughtRows& rows : run.brought)
        for (int cell = rows.begin; cell < rows.end; ++cell)
          all[example.tokens[static_cast<size_t>(row)]][example.tokens[static_cast<size_t>(cell)]] =
              rows.promotion;
  return all;
}

TEST(TraceExample, ListsTheRowsThatAPromotionBrought) {
  Trace trace = two_streams();
  sample_all(trace);
  const auto join =
      static_cast<size_t>(std::find_if(trace.edits.begin(), trace.edits.end(),
                                       [](const TraceEdit& edit) {
                                         return edit.kind == EditKind::kJoin && edit.source == 3;
                                       }) -
                          trace.edits.begin());
  // An answer that sees both streams: the note reached it through the first stream.
  trace.edits.push_back({6, EditKind::kOpen, 4, -1, 0, 0, -1});
  trace.edits.push_back({6, EditKind::kJoin, 4, 1, 0, 100, -1});
  trace.edits.push_back({6, EditKind::kJoin, 4, 2, 3, 100, -1});
  trace.spans.push_back(
      {5, 4, SpanOwner::of(SpanKind::kAnswer), "", 8, {500, 501}, {6, 7}, {NAN, -1}});
  const TracePromotion note{{join}, {0.5f}, {3, 1}};

  TraceExample session(trace, {}, {note});
  session.learn(4, 1);
  session.learn(5, 1);
  const Example example = session.example();
  const std::map<Token, int> the_note = {{300, 0}, {301, 0}};
  EXPECT_EQ(brought_to(example),
            (std::map<Token, std::map<Token, int>>{
                {103, the_note}, {400, the_note}, {500, the_note}, {501, the_note}}));
  ASSERT_EQ(example.promotions.size(), 1u);
  EXPECT_EQ(example.promotions[0].features, (std::vector<float>{0.5f}));
  // The note's last token was sampled from token 300.
  EXPECT_EQ(example.tokens[static_cast<size_t>(example.promotions[0].state)], 300);
  EXPECT_EQ(example_from_json(to_json(example)).runs, example.runs);

  // Rows added after a span see the same promoted rows as the span.
  TraceExample after(trace, {}, {note});
  after.learn_after(4, {7}, 1);
  EXPECT_EQ(brought_to(after.example()).at(7), the_note);

  // Without promotions the example does not change.
  TraceExample plain(trace);
  plain.learn(4, 1);
  plain.learn(5, 1);
  Example same = example;
  same.promotions.clear();
  for (RowRun& run : same.runs) run.brought.clear();
  EXPECT_EQ(to_json(same), to_json(plain.example()));
}

TEST(TraceExample, KeepsPromotionsWhoseEffectIsLearntOrWhoseCellsAreSeen) {
  Trace trace = two_streams();
  sample_all(trace);
  const TracePromotion note{{}, {0.5f}, 3, 1}, other{{}, {0.25f}, 2, 3};
  TraceExample unseen(trace, {}, {note, other});
  unseen.learn(2, 1);
  EXPECT_TRUE(unseen.example().promotions.empty());
  unseen.learn_effect(1, -0.5f);
  const Example example = unseen.example();
  ASSERT_EQ(example.promotions.size(), 1u);
  EXPECT_EQ(example.promotions[0].effect, -0.5f);
  EXPECT_EQ(example.tokens[static_cast<size_t>(example.promotions[0].state)], 202);

  TraceExample effect_alone(trace, {}, {note, other});
  EXPECT_FALSE(effect_alone.learns());
  effect_alone.learn_effect(0, 0.5f);
  EXPECT_TRUE(effect_alone.learns());
  EXPECT_TRUE(effect_alone.example().targets.empty());
}

// Compares with the sessions that only have the first promotion, the first two, and so on.
TEST(parity, OfPromotedRowsAndSessionsWithoutThePromotion) {
  int brought = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Trace trace = random_session(seed);
    std::vector<TracePromotion> promotions;
    for (size_t i = 0; i < trace.edits.size(); ++i)
      if (trace.edits[i].kind == EditKind::kJoin && trace.edits[i].begin > 0)
        promotions.push_back({{i}, {}, 0, 1});
    TraceExample session(trace, {}, promotions);
    for (size_t span = 0; span < trace.spans.size(); ++span)
      session.learn(static_cast<int>(span), 1);
    const Example example = session.example();
    EXPECT_EQ(expect_as_laid_out(example, lay_out(trace)), sampled_tokens(lay_out(trace)));
    std::erase_if(trace.edits, [](const TraceEdit& edit) {
      return edit.kind == EditKind::kJoin && edit.begin > 0;
    });
    const TraceLayout without = lay_out(trace);
    std::map<Token, int> row_of;
    for (int row = 0; row < without.rows(); ++row)
      row_of[without.tokens[static_cast<size_t>(row)]] = row;
    const Visibility sees = visibility_of(example);
    auto by_promotion = brought_to(example);
    for (int row = 0; row < example.rows(); ++row)
      sees.row(row).for_each([&](int cell) {
        const Token reader = example.tokens[static_cast<size_t>(row)];
        const Token seen = example.tokens[static_cast<size_t>(cell)];
        const bool anyway = without.visibility.sees(row_of.at(reader), row_of.at(seen));
        EXPECT_EQ(by_promotion[reader].contains(seen), !anyway) << seed << " " << reader;
        brought += anyway ? 0 : 1;
      });
  }
  EXPECT_GT(brought, 100);
}

// Rows added after a span must equal the rows of a session that really continued in this way.
TEST(TraceExample, RowsLearntAfterASpanSeeWhatTheSpanSaw) {
  Trace trace = two_streams();
  sample_all(trace);
  Trace shorter = trace;
  shorter.spans[1].tokens.pop_back();
  shorter.spans[1].steps.pop_back();
  shorter.spans[1].logprobs.pop_back();
  shorter.spans.pop_back();  // a later span of the same sequence
  std::erase_if(shorter.edits, [](const TraceEdit& edit) { return edit.step >= 4; });
  std::erase_if(trace.edits, [](const TraceEdit& edit) { return edit.step >= 4; });
  trace.spans.pop_back();
  TraceExample cut(shorter), whole(trace);
  cut.learn_after(1, {103}, 1);
  whole.learn(1, 1);
  const Example example = cut.example();
  EXPECT_EQ(expect_as_laid_out(example, lay_out(trace)), 1);
  EXPECT_EQ(example.tokens, (Tokens{0, 1, 2, 100, 101, 102, 103}));
  EXPECT_EQ(example.tokens, whole.example().tokens);
}

TEST(TraceExample, NoRowSeesRowsLearntAfterASpan) {
  Trace trace = two_streams();
  sample_all(trace);
  TraceExample example(trace);
  example.learn_after(2, {7, 8}, 1);
  example.learn(4, 1);  // the last span
  const Example all = example.example();
  const auto added =
      static_cast<int>(std::find(all.tokens.begin(), all.tokens.end(), 7) - all.tokens.begin());
  const Visibility visibility = visibility_of(all);
  for (int row = 0; row < all.rows(); ++row)
    EXPECT_EQ(visibility.sees(row, added), row >= added && row <= added + 1) << row;
  EXPECT_TRUE(visibility.sees(added + 1, added));
}

}  // namespace
}  // namespace polyphon
