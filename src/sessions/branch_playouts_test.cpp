#include "search/branch_playouts.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "record/codec.h"
#include "sessions/finished_for_test.h"
#include "sessions/stream_search_for_test.h"

namespace polyphon {
namespace {

class BranchPlayoutsTest : public SearchTest {
 protected:
  static ThinkInput wish(const std::string& topology, bool plays_out = true) {
    ThinkInput wish = input(topology);
    wish.search.plays_out = plays_out;
    wish.search.simulations = 8;
    wish.search.max_stream_searches = 1;
    wish.search.max_sequences = 128;
    return wish;
  }

  // Over all searches: the number of states that could be played out, and how many were.
  struct States {
    int open = 0, played_out = 0;
  };
  static States states_of(const FinishedForTest& result) {
    States states;
    for (const Json& search : result.polyphon.at("search").at("searches"))
      for (const Json& node : search.at("tree")) {
        const bool open = node.at("id") != 0 && !node.contains("same_as") &&
                          !node.contains("terminal") && !node.contains("pruned");
        states.open += open;
        states.played_out += node.contains("playout");
        EXPECT_TRUE(open || !node.contains("playout")) << node.dump();
      }
    return states;
  }
};

TEST_F(BranchPlayoutsTest, EveryStateOfATreeIsPlayedOutToTheStreamsEnd) {
  start(good_and_bad);
  const FinishedForTest result = think(wish("1x60"));
  const States states = states_of(result);
  EXPECT_GT(states.open, 2);
  EXPECT_EQ(states.played_out, states.open);
  int decoded = 0;
  for (const Json& search : result.polyphon.at("search").at("searches")) {
    std::map<int, size_t> said = {{0, search.at("from_byte").get<size_t>()}};  // a token is a byte
    for (const Json& node : search.at("tree")) {
      const std::string text = node.at("text"), playout = node.value("playout", "");
      if (node.at("id") == 0 || node.contains("same_as")) continue;
      const size_t all = said[node.at("id")] = said.at(node.at("parent")) + text.size();
      EXPECT_EQ(all + playout.size(), 60u);
      decoded += static_cast<int>(playout.size());
    }
  }
  int counted = 0;
  for (const Json& search : result.polyphon.at("search").at("searches"))
    counted += search.at("playout_tokens").get<int>();
  EXPECT_EQ(counted, decoded);
  int in_spans = 0;
  for (const TraceSpan& span : result.trace->spans)
    if (to_string(span.owner).starts_with("playout "))
      in_spans += static_cast<int>(span.tokens.size());
  EXPECT_EQ(in_spans, decoded);
  // No row saw a cell outside its own line.
  for (const FakeRow& row : rows_)
    for (size_t i = 0; i < row.positions.size(); ++i)
      ASSERT_EQ(row.positions[i], static_cast<Position>(i));
  expect_nothing_left();
}

// A play-out continues its state: the model's next token is a function of the whole line.
TEST_F(BranchPlayoutsTest, ItsTokensFollowTheStateTheyBeginWith) {
  start([](const FakeRow& row, std::span<float> logits) {
    uint64_t seen = 0;
    for (const Token token : row.visible) seen = mix_bits(seen + static_cast<uint64_t>(token));
    logits[seen % 5 == 0 ? '\n' : 'a' + seen % 26] = 50;
  });
  ThinkInput sure = wish("1x40");
  const FinishedForTest result = think(sure);
  const Json& search = result.polyphon.at("search").at("searches").at(0);
  const std::string text = text_of(result, 0);
  EXPECT_GT(states_of(result).played_out, 0);
  std::map<int, std::string> said = {{0, text.substr(0, search.at("from_byte").get<size_t>())}};
  for (const Json& node : search.at("tree")) {
    if (node.at("id") == 0 || node.contains("same_as")) continue;
    const std::string line = said[node.at("id")] =
        said.at(node.at("parent")) + node.at("text").get<std::string>();
    // The model is deterministic, so every line equals the stream's.
    EXPECT_EQ(line + node.value("playout", ""),
              text.substr(0, node.contains("playout") ? 40 : line.size()));
  }
}

TEST_F(BranchPlayoutsTest, NothingElseChanges) {
  start(hashed);
  const FinishedForTest with = think(wish("3x60")), without = think(wish("3x60", false));
  EXPECT_GT(states_of(with).played_out, 0);
  EXPECT_EQ(states_of(without).played_out, 0);
  for (size_t stream = 0; stream < 3; ++stream)
    EXPECT_EQ(text_of(with, stream), text_of(without, stream));
  const Json &a = with.polyphon.at("search"), &b = without.polyphon.at("search");
  for (const char* figure : {"simulations", "tokens", "committed_tokens", "waste"})
    EXPECT_EQ(a.at(figure), b.at(figure)) << figure;

  const Trace stored = trace_from_json(Json::parse(to_json(*with.trace).dump()));
  SessionTicket again = reasoner_->replay(stored, {});
  const TraceComparison same = compare_traces(stored, *wait_finished(again).trace);
  EXPECT_EQ(same.matching, same.tokens) << same.first_difference;
}

TEST_F(BranchPlayoutsTest, WaitForSequencesAndAreSkippedWithoutTokens) {
  start(good_and_bad);
  ThinkInput few = wish("1x60");
  few.search.max_sequences = 10;  // two more than the tree needs
  const States waited = states_of(think(few));
  EXPECT_GT(waited.open, 2);
  EXPECT_EQ(waited.played_out, waited.open);

  ThinkInput poor = wish("1x60");
  poor.search.max_tokens = 160;
  const FinishedForTest result = think(poor);
  const States states = states_of(result);
  EXPECT_LT(states.played_out, states.open);
  EXPECT_GT(states.played_out, 0);
  const Json& search = result.polyphon.at("search").at("searches").at(0);
  EXPECT_LE(search.at("tokens").get<int>() + search.at("playout_tokens").get<int>(), 160);
  expect_nothing_left();
}

TEST_F(BranchPlayoutsTest, AStreamThatEndsMeanwhileLeavesNothingInTheCache) {
  ReasonOptions options = quiet();
  options.strategies = {{"brief", "A "}, {"brief too", "A "}, {"searcher", "S\n"}};
  options.agreement.enabled = true;
  options.agreement.min_streams = 2;
  start(
      [](const FakeRow& row, std::span<float> logits) {
        const auto brief = std::find(row.visible.begin(), row.visible.end(), Token{'A'});
        const auto said = row.visible.end() - brief;
        if (brief == row.visible.end())
          good_and_bad(row, logits);
        else
          logits[said < 40 ? 'x' : said < 41 ? ' ' : said < 42 ? '7' : FakeTokens::kEnd] = 50;
      },
      options);
  ThinkInput wish = this->wish("3x400");
  wish.search.simulations = 2;
  wish.search.max_tokens = 4096;
  const FinishedForTest result = think(wish);
  EXPECT_EQ(result.polyphon.at("streams").at(2).at("finish_reason"), "agreement");
  const Json& search = result.polyphon.at("search").at("searches").at(0);
  EXPECT_EQ(search.at("why_ended"), "the stream ended");
  EXPECT_GT(search.at("playout_tokens"), 0);
  EXPECT_EQ(states_of(result).played_out, 0);
  expect_nothing_left();
}

}  // namespace
}  // namespace polyphon
