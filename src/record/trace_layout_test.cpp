#include "record/trace_layout.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "record/trace_builder_for_test.h"

namespace polyphon {
namespace {

// The tokens that the token at (span, index) sees.
std::set<Token> seen_by(const TraceLayout& layout, int span, int index) {
  const int row = layout.row_of[static_cast<size_t>(span)][static_cast<size_t>(index)];
  std::set<Token> seen;
  for (int column = 0; column < layout.rows(); ++column)
    if (layout.visibility.sees(row, column))
      seen.insert(layout.tokens[static_cast<size_t>(column)]);
  return seen;
}

TEST(TraceLayout, RowsAreTheCellsInOrderOfComputation) {
  const TraceLayout layout = lay_out(two_streams());
  EXPECT_EQ(layout.tokens,
            (Tokens{0, 1, 2, 100, 200, 101, 201, 102, 202, 300, 301, 103, 203, 400}));
  EXPECT_EQ(layout.positions, (std::vector<Position>{0, 1, 2, 3, 3, 4, 4, 5, 5, 5, 6, 6, 6, 7}));
  for (int row = 0; row < layout.rows(); ++row) {
    EXPECT_TRUE(layout.visibility.sees(row, row));
    for (int later = row + 1; later < layout.rows(); ++later)
      EXPECT_FALSE(layout.visibility.sees(row, later));
  }
}

TEST(TraceLayout, ARowSeesWhatItsViewHeldAtItsStep) {
  const TraceLayout layout = lay_out(two_streams());
  // Two of them came from the prefix cache.
  EXPECT_EQ(seen_by(layout, 0, 2), (std::set<Token>{0, 1, 2}));
  EXPECT_EQ(seen_by(layout, 1, 1), (std::set<Token>{0, 1, 2, 100, 101}));
  EXPECT_EQ(seen_by(layout, 2, 2), (std::set<Token>{0, 1, 2, 200, 201, 202}));
  // The register's view holds what had been decoded before step 3.
  EXPECT_EQ(seen_by(layout, 3, 0), (std::set<Token>{0, 1, 2, 100, 101, 200, 201, 300}));
  EXPECT_EQ(seen_by(layout, 3, 1), (std::set<Token>{0, 1, 2, 100, 101, 200, 201, 300, 301}));
  // The note has joined. Its second token has the same position as this row.
  EXPECT_EQ(seen_by(layout, 1, 3), (std::set<Token>{0, 1, 2, 100, 101, 102, 300, 301, 103}));
  EXPECT_EQ(seen_by(layout, 2, 3), (std::set<Token>{0, 1, 2, 201, 202, 203}));
}

TEST(TraceLayout, CellsAtLaterPositionsAreNotSeenYet) {
  TraceBuilder b;
  b.span(0, 0, {0});
  b.span(1, 5, {0});
  b.edit(1, EditKind::kJoin, 0, 1, 5, 6);
  b.span(0, 1, {1});  // span 2, before the joined cell
  b.span(0, 6, {2});  // span 3, after it
  const TraceLayout layout = lay_out(b.trace);
  EXPECT_EQ(seen_by(layout, 2, 0), (std::set<Token>{0, 200}));
  EXPECT_EQ(seen_by(layout, 3, 0), (std::set<Token>{0, 100, 200, 300}));
}

TEST(TraceLayout, ATokenIsPredictedByTheLastRowOfItsSequence) {
  const TraceLayout layout = lay_out(two_streams());
  const auto predictor = [&](int span, int index) {
    const int row = layout.row_of[static_cast<size_t>(span)][static_cast<size_t>(index)];
    const int from = layout.predictors[static_cast<size_t>(row)];
    return from < 0 ? kNoToken : layout.tokens[static_cast<size_t>(from)];
  };
  EXPECT_EQ(predictor(0, 0), kNoToken);
  // A forked stream: the prompt's last row belongs to another sequence.
  EXPECT_EQ(predictor(1, 0), kNoToken);
  EXPECT_EQ(predictor(1, 1), 100);
  EXPECT_EQ(predictor(4, 0), 103);
}

TEST(TraceLayout, PlacedCellsSawOnlyTheirAnchorAndEachOther) {
  const TraceLayout layout = lay_out(placed_cells(), /*anchor=*/{7, 8});
  EXPECT_EQ(layout.tokens, (Tokens{0, 1, 2, 3, 7, 8, 100, 101, 200, 201}));
  EXPECT_EQ(layout.positions, (std::vector<Position>{0, 1, 2, 3, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(seen_by(layout, 1, 0), (std::set<Token>{7, 8, 100}));
  EXPECT_EQ(seen_by(layout, 1, 1), (std::set<Token>{7, 8, 100, 101}));
  EXPECT_EQ(seen_by(layout, 2, 0), (std::set<Token>{0, 1, 2, 3, 100, 101, 200}));
  EXPECT_EQ(layout.placed, (std::vector<bool>{0, 0, 0, 0, 1, 1, 1, 1, 0, 0}));
  // Placed cells predict nothing: no row was decoded for them.
  const int reader = layout.row_of[2][0];
  EXPECT_EQ(layout.tokens[static_cast<size_t>(layout.predictors[static_cast<size_t>(reader)])], 3);
  EXPECT_EQ(layout.predictors[static_cast<size_t>(layout.row_of[1][1])], -1);
}

TEST(TraceLayout, RefusesAContradictoryTrace) {
  TraceBuilder no_span;
  no_span.edit(0, EditKind::kPlace, 0, -1, 4, 6);
  EXPECT_THROW(lay_out(no_span.trace), Error);
  TraceBuilder backwards;
  backwards.edit(3, EditKind::kOpen, 0);
  backwards.edit(2, EditKind::kOpen, 1);
  EXPECT_THROW(lay_out(backwards.trace), Error);
  TraceBuilder torn;
  torn.span(0, 0, {0, 1});
  torn.trace.spans[0].steps.pop_back();
  EXPECT_THROW(lay_out(torn.trace), Error);
}

}  // namespace
}  // namespace polyphon
