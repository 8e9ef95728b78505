#include "search/search_bank.h"

#include <gtest/gtest.h>

#include <map>

#include "base/error.h"
#include "record/codec.h"
#include "sessions/finished_for_test.h"
#include "sessions/stream_search_for_test.h"

namespace polyphon {
namespace {

// The limits that a session's searches share, and what goes on beside searches.
using SearchBankTest = SearchTest;

TEST_F(SearchBankTest, FewSequencesMakeASmallerTreeAndNeverAFailure) {
  start(good_and_bad);
  for (const int sequences : {2, 3, 5, 9}) {
    ThinkInput wish = input("2x60");
    wish.search.max_sequences = sequences;
    wish.search.parallel_leaves = 4;
    const FinishedForTest result = think(wish);
    std::map<SequenceNumber, int> open;
    int most = 0;
    for (const TraceEdit& edit : result.trace->edits) {
      if (edit.kind == EditKind::kOpen) open[edit.sequence] = 1;
      if (edit.kind == EditKind::kClose) open.erase(edit.sequence);
      most = std::max(most, static_cast<int>(open.size()));
    }
    EXPECT_LE(most, sequences + 2 + 1);  // plus the two streams and the prompt
    int pruned = 0, committed = 0;
    for (const Json& search : result.polyphon.at("search").at("searches")) {
      committed += search.at("committed_tokens").get<int>();
      for (const Json& node : search.at("tree")) pruned += node.contains("pruned");
    }
    EXPECT_GT(committed, 0) << sequences;
    EXPECT_GT(pruned, 0) << sequences;
  }
  expect_nothing_left();
}

TEST_F(SearchBankTest, APlanGetsFewerSequencesRatherThanNoSearch) {
  start(good_and_bad, quiet(), 32);  // a quarter of them belongs to the prefix cache
  ThinkInput wish = input("2x40");
  wish.search.max_sequences = 64;
  const FinishedForTest result = think(wish);
  EXPECT_EQ(result.trace->request.search.max_sequences, 24 - 2 - 2);
  EXPECT_GT(result.polyphon.at("search").at("simulations"), 0);
}

TEST_F(SearchBankTest, TheTokenBudgetEndsASearchEarlyAndCommitsItsBestLine) {
  start(good_and_bad);
  ThinkInput wish = input("1x60");
  wish.search.max_tokens = 64;
  const FinishedForTest result = think(wish);
  const Json& search = result.polyphon.at("search");
  EXPECT_EQ(search.at("searches").at(0).at("why_ended"), "tokens");
  EXPECT_GT(search.at("searches").at(0).at("committed_tokens"), 0);
  EXPECT_LE(search.at("tokens"), 64);
  EXPECT_LT(search.at("searches").at(0).at("simulations"), 32);
  // The next search is refused, with a reason, and this is recorded once.
  const auto refused = std::count_if(result.trace->decisions.begin(), result.trace->decisions.end(),
                                     [](const TraceDecision& decision) {
                                       return to_json(decision)["kind"] == "search_refused" &&
                                              to_json(decision)["detail"].at("why") == "max_tokens";
                                     });
  EXPECT_EQ(refused, 1);
}

TEST_F(SearchBankTest, AReplayHasTheSameTokensWithRegistersAndPromotionsBesideSearches) {
  start(hashed);
  for (const char* topology : {"1x80", "4x60", "3x40>2x40"}) {
    ThinkInput wish = input(topology);
    wish.workspace.registers = 2;
    wish.workspace.gate_threshold = 0;
    wish.workspace.cadence_tokens = 8;
    wish.workspace.refractory_tokens = 4;
    wish.search.max_sequences = 24;
    const FinishedForTest recorded = think(wish);
    EXPECT_GT(recorded.polyphon.at("search").at("committed_tokens"), 0);
    EXPECT_FALSE(recorded.polyphon.at("promotions").empty());
    const Trace stored = trace_from_json(Json::parse(to_json(*recorded.trace).dump()));
    SessionTicket same = reasoner_->replay(stored, {});
    const TraceComparison equal = compare_traces(stored, *wait_finished(same).trace);
    EXPECT_EQ(equal.matching, equal.tokens) << topology << " " << equal.first_difference;
  }
  expect_nothing_left();
}

// A promotion that comes during a stream's search reaches the stream afterwards.
TEST_F(SearchBankTest, PromotionsWaitForTheEndOfASearch) {
  start(hashed);
  ThinkInput wish = input("3x80");
  wish.workspace.registers = 1;
  wish.workspace.gate_threshold = 0;
  wish.workspace.cadence_tokens = 4;
  wish.workspace.refractory_tokens = 1;
  const FinishedForTest result = think(wish);
  std::map<int, std::vector<std::pair<Step, Step>>> searching;  // by stream
  for (const TraceDecision& decision : result.trace->decisions) {
    if (to_json(decision)["kind"] == "search")
      searching[to_json(decision)["detail"].at("stream")].emplace_back(decision.step, INT32_MAX);
    if (to_json(decision)["kind"] == "search_ended")
      searching[to_json(decision)["detail"].at("stream")].back().second = decision.step;
  }
  ASSERT_EQ(searching.size(), 3u);
  std::map<SequenceNumber, int> stream_of;
  for (const TraceSpan& span : result.trace->spans)
    for (int k = 0; k < 3; ++k)
      if (to_string(span.owner) == "stream " + std::to_string(k)) stream_of[span.sequence] = k;
  int late = 0;
  for (const TraceSpan& span : result.trace->spans) {
    if (!to_string(span.owner).starts_with("cue ") || !stream_of.contains(span.sequence)) continue;
    for (const auto& [began, ended] : searching[stream_of[span.sequence]]) {
      for (const Step step : span.steps) EXPECT_TRUE(step < began || step >= ended);
      late += !span.steps.empty() && span.steps.front() == ended;
    }
  }
  EXPECT_GT(late, 0);
}

TEST_F(SearchBankTest, TheReservedCellsAreEnough) {
  start(hashed);
  for (const char* topology : {"1x40", "5x16", "2x20>3x20"})
    for (const int simulations : {1, 7, 64})
      for (const int depth : {1, 5}) {
        ThinkInput wish = input(topology);
        wish.workspace.registers = 1;
        wish.workspace.cadence_tokens = 3;
        wish.workspace.gate_threshold = 0;
        wish.workspace.refractory_tokens = 1;
        wish.search.simulations = simulations;
        wish.search.depth = depth;
        wish.search.max_tokens = 64 * depth;
        EXPECT_NO_THROW(think(wish)) << topology << " " << simulations << " " << depth;
      }
  expect_nothing_left();
}

TEST_F(SearchBankTest, AReplayEndsASearchWhereTheClockEndedIt) {
  start(hashed);
  clock_.runs = true;
  ThinkInput wish = input("2x60");
  wish.search.milliseconds = 40;
  const FinishedForTest recorded = think(wish);
  clock_.runs = false;  // the clock stands still and ends no search
  const auto cut = [](const FinishedForTest& result) {
    int cut = 0;
    for (const Json& search : result.polyphon.at("search").at("searches"))
      cut += search.at("why_ended") == "milliseconds";
    return cut;
  };
  EXPECT_GT(cut(recorded), 0);
  Trace trace = *recorded.trace;
  for (int generation = 0; generation < 2; ++generation) {
    SessionTicket same = reasoner_->replay(trace, {});
    const FinishedForTest again = wait_finished(same);
    const TraceComparison equal = compare_traces(*recorded.trace, *again.trace);
    EXPECT_EQ(equal.matching, equal.tokens) << equal.first_difference;
    EXPECT_EQ(cut(again), cut(recorded));
    trace = *again.trace;
  }
}

TEST_F(SearchBankTest, WithoutSearchNothingChanges) {
  start(hashed);
  ThinkInput wish = input("2x40");
  wish.search.mode = SearchMode::kOff;
  const FinishedForTest off = think(wish);
  EXPECT_EQ(off.polyphon.at("search"), nullptr);
  wish.search.mode = SearchMode::kAuto;
  wish.search.entropy_threshold = 20;
  wish.search.value_drop = 1;
  const FinishedForTest quiet = think(wish);
  EXPECT_TRUE(quiet.polyphon.at("search").at("searches").empty());
  EXPECT_EQ(text_of(off, 0), text_of(quiet, 0));
  EXPECT_EQ(text_of(off, 1), text_of(quiet, 1));
}

TEST_F(SearchBankTest, OptionsOutOfRangeAreRefusedByName) {
  start(hashed);
  for (const SearchField& field : search_fields())
    for (const double wrong : {field.least - 1, field.most + 1}) {
      ThinkInput wish = input("1x16");
      std::visit(
          [&](auto member) {
            using Number = std::remove_reference_t<decltype(wish.search.*member)>;
            wish.search.*member = static_cast<Number>(wrong);
          },
          field.member);
      try {
        think(wish);
        ADD_FAILURE() << field.name;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
        EXPECT_EQ(error.field(), std::string("polyphon.search.") + field.name);
      }
    }
}

}  // namespace
}  // namespace polyphon
