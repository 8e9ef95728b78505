#include "workspace/trace_promotions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/error.h"
#include "heads/gate.h"
#include "sessions/promoting_session_for_test.h"

namespace polyphon {
namespace {

TEST(TracePromotions, AreThoseOfTheWorkspaceWithTheEditsThatCarriedThemOut) {
  const Trace trace = promoting_session(*babbling_reasoner(), "How many?");
  const std::vector<TracePromotion> promotions = trace_promotions(trace);
  const Json& broadcasts = trace.result.at("workspace");
  ASSERT_EQ(promotions.size(), broadcasts.size());
  ASSERT_GE(promotions.size(), 2u);
  std::set<size_t> used;
  for (size_t i = 0; i < promotions.size(); ++i) {
    const TracePromotion& promotion = promotions[i];
    const GateFeatures features = gate_features_from_json(broadcasts[i].at("features"));
    EXPECT_EQ(promotion.features[0], static_cast<float>(features.confidence));
    ASSERT_EQ(promotion.features.size(), static_cast<size_t>(GateFeatures::kCount));
    const TraceSpan& last = trace.spans.at(static_cast<size_t>(promotion.span));
    EXPECT_FALSE(std::isnan(last.logprobs.at(static_cast<size_t>(promotion.index))));
    // As many streams as told of it, and all take in the same cells, which end with that token.
    std::set<int> reached;
    for (const size_t edit : promotion.edits) {
      EXPECT_TRUE(used.insert(edit).second) << "an edit is of one promotion";
      const TraceEdit& join = trace.edits.at(edit);
      EXPECT_EQ(join.kind, "join");
      EXPECT_EQ(join.source, last.sequence);
      EXPECT_GT(join.end, last.begin + promotion.index);
      EXPECT_LE(join.begin, last.begin + promotion.index);
      EXPECT_EQ(join.begin, trace.edits[promotion.edits.front()].begin);
      reached.insert(join.sequence);
    }
    EXPECT_GE(reached.size(), broadcasts[i].at("streams").size());
    EXPECT_FALSE(reached.contains(last.sequence));
  }
  // All that a stream takes in from elsewhere, after its prompt, came by one of them.
  for (size_t i = 0; i < trace.edits.size(); ++i) {
    const TraceEdit& edit = trace.edits[i];
    const bool to_stream = edit.sequence >= 1 && edit.sequence <= 3 && edit.kind == "join";
    if (to_stream && edit.source != 0) {
      EXPECT_TRUE(used.contains(i)) << i;
    }
  }
}

TEST(TracePromotions, OneThatWasNotCarriedOutHasNoEdits) {
  const auto reasoner = babbling_reasoner();
  SessionTicket ticket = reasoner->replay(promoting_session(*reasoner, "How many?"), {}, 1);
  const std::vector<TracePromotion> promotions = trace_promotions(*wait_finished(ticket).trace);
  ASSERT_GE(promotions.size(), 2u);
  EXPECT_FALSE(promotions[0].edits.empty());
  EXPECT_TRUE(promotions[1].edits.empty());
}

TEST(TracePromotions, OfATraceThatContradictsItselfAreRefused) {
  Trace trace = promoting_session(*babbling_reasoner(), "How many?");
  Trace undecided = trace;
  undecided.decisions.clear();
  EXPECT_THROW(trace_promotions(undecided), Error);
  trace.spans.clear();
  EXPECT_THROW(trace_promotions(trace), Error);
  EXPECT_TRUE(trace_promotions(Trace{}).empty());
}

}  // namespace
}  // namespace polyphon
