#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/error.h"
#include "record/codec.h"
#include "record/trace_promotion.h"
#include "sessions/promoting_session_for_test.h"

namespace polyphon {
namespace {

TEST(TracePromotions, HaveTheEditsThatCarriedThemOut) {
  const Trace trace = promoting_session(*babbling_reasoner(), "How many?");
  const std::vector<TracePromotion> promotions = trace_promotions(trace);
  const std::vector<Broadcast>& broadcasts = trace.result.workspace;
  ASSERT_EQ(promotions.size(), broadcasts.size());
  ASSERT_GE(promotions.size(), 2u);
  std::set<size_t> used;
  for (size_t i = 0; i < promotions.size(); ++i) {
    const TracePromotion& promotion = promotions[i];
    EXPECT_EQ(promotion.features[0], static_cast<float>(broadcasts[i].features.confidence));
    ASSERT_EQ(promotion.features.size(), static_cast<size_t>(GateFeatures::kCount));
    const TraceSpan& last = trace.spans.at(static_cast<size_t>(promotion.last_token.span));
    EXPECT_FALSE(std::isnan(last.logprobs.at(static_cast<size_t>(promotion.last_token.index))));
    // As many streams as the result lists joined the same cells, which end with that token.
    std::set<int> reached;
    for (const size_t edit : promotion.edits) {
      EXPECT_TRUE(used.insert(edit).second) << "an edit belongs to one promotion";
      const TraceEdit& join = trace.edits.at(edit);
      EXPECT_EQ(join.kind, EditKind::kJoin);
      EXPECT_EQ(join.source, last.sequence);
      EXPECT_GT(join.end, last.begin + promotion.last_token.index);
      EXPECT_LE(join.begin, last.begin + promotion.last_token.index);
      EXPECT_EQ(join.begin, trace.edits[promotion.edits.front()].begin);
      reached.insert(join.sequence);
    }
    EXPECT_GE(reached.size(), broadcasts[i].streams.size());
    EXPECT_FALSE(reached.contains(last.sequence));
  }
  // Whatever a stream's view gets from elsewhere after its prompt came by one of the promotions.
  for (size_t i = 0; i < trace.edits.size(); ++i) {
    const TraceEdit& edit = trace.edits[i];
    const bool to_stream = edit.sequence >= 1 && edit.sequence <= 3 && edit.kind == EditKind::kJoin;
    if (to_stream && edit.source != 0) {
      EXPECT_TRUE(used.contains(i)) << i;
    }
  }
}

TEST(TracePromotions, APromotionThatWasNotCarriedOutHasNoEdits) {
  const auto reasoner = babbling_reasoner();
  SessionTicket ticket = reasoner->replay(promoting_session(*reasoner, "How many?"), {}, 1);
  const std::vector<TracePromotion> promotions = trace_promotions(*wait_finished(ticket).trace);
  ASSERT_GE(promotions.size(), 2u);
  EXPECT_FALSE(promotions[0].edits.empty());
  EXPECT_TRUE(promotions[1].edits.empty());
}

TEST(TracePromotions, AContradictoryTraceIsRefused) {
  Trace trace = promoting_session(*babbling_reasoner(), "How many?");
  Trace undecided = trace;
  undecided.decisions.clear();
  EXPECT_THROW(trace_promotions(undecided), Error);
  trace.spans.clear();
  EXPECT_THROW(trace_promotions(trace), Error);
  EXPECT_TRUE(trace_promotions(Trace{}).empty());
}

// The trace in format 1: owners are texts, and edits do not name their promotion.
Json format_1(const Trace& trace) {
  Json json = to_json(trace);
  json["format"] = 1;
  for (size_t i = 0; i < trace.spans.size(); ++i)
    json["spans"][i]["owner"] = to_string(trace.spans[i].owner);
  for (Json& edit : json["edits"]) edit.erase("promotion");
  Json decisions = Json::array();
  for (Json& decision : json["decisions"]) {
    if (decision["kind"] == PromotionDecision::kName) continue;
    if (decision["kind"] == GateDecision::kName)
      for (Json& candidate : decision["detail"]["candidates"]) candidate.erase("begin");
    decisions.push_back(std::move(decision));
  }
  json["decisions"] = std::move(decisions);
  return json;
}

TEST(TracePromotions, AreRecoveredFromARecordOfFormat1) {
  const Trace trace = promoting_session(*babbling_reasoner(), "How many?");
  const std::vector<TracePromotion> made = trace_promotions(trace);
  const Trace old = trace_from_json(format_1(trace));
  const std::vector<TracePromotion> found = trace_promotions(old);
  ASSERT_EQ(found.size(), made.size());
  for (size_t i = 0; i < made.size(); ++i) {
    EXPECT_EQ(found[i].edits, made[i].edits);
    EXPECT_EQ(found[i].features, made[i].features);
    EXPECT_EQ(found[i].last_token.span, made[i].last_token.span);
    EXPECT_EQ(found[i].last_token.index, made[i].last_token.index);
  }
  Json again = to_json(old), whole = to_json(trace);
  for (Json* json : {&again, &whole})
    for (Json& decision : (*json)["decisions"])
      if (decision["kind"] == GateDecision::kName)
        for (Json& candidate : decision["detail"]["candidates"]) candidate.erase("begin");
  EXPECT_EQ(again, whole);
}

}  // namespace
}  // namespace polyphon
