#include "search/stream_search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "model/real_model_for_test.h"
#include "record/codec.h"
#include "sessions/finished_for_test.h"
#include "sessions/stream_search_for_test.h"

namespace polyphon {
namespace {

TEST_F(SearchTest, OnlyTheBranchWithTheGreaterValueIsCommittedAndSeen) {
  start(good_and_bad);
  const FinishedForTest result = think(input("1x60"));
  const Json& searches = result.polyphon.at("search").at("searches");
  ASSERT_EQ(searches.size(), 2u);
  const std::string text = text_of(result, 0);
  for (const Json& search : searches) {
    const std::string found = search.at("text");
    EXPECT_EQ(search.at("simulations"), 32);
    EXPECT_GE(found.size(), 5u);
    EXPECT_EQ(found.size() % 5, 0u);
    for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i], "ghij\n"[i % 5]);
    EXPECT_NE(text.find(found), std::string::npos);
    EXPECT_EQ(search.at("committed_tokens"), found.size());
  }
  EXPECT_EQ(text.size(), 60u);  // the budget; committed tokens are a part of it
  EXPECT_EQ(count<SearchBegan>(), 2);
  EXPECT_EQ(count<SearchEnded>(), 2);

  // No row saw a cell outside its own line: positions are 0, 1, 2, ..., also in branches.
  std::set<Tokens> seen;
  for (const FakeRow& row : rows_) {
    for (size_t i = 0; i < row.positions.size(); ++i)
      ASSERT_EQ(row.positions[i], static_cast<Position>(i));
    seen.insert(row.visible);
  }
  // At every token, the stream saw each of its earlier tokens once.
  const auto span = [&](const std::string& owner) {
    return std::find_if(result.trace->spans.begin(), result.trace->spans.end(),
                        [&](const TraceSpan& s) { return to_string(s.owner) == owner; });
  };
  Tokens line = span("prompt")->tokens;
  for (const Token token : span("preamble 0")->tokens) line.push_back(token);
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    line.push_back(static_cast<unsigned char>(text[i]));
    EXPECT_TRUE(seen.contains(line)) << i;
  }
}

// The tokens of a committed line are decoded once, in the branches that found them.
TEST_F(SearchTest, NothingThatIsCommittedIsDecodedAgain) {
  start(good_and_bad);
  const FinishedForTest result = think(input("1x60"));
  const Trace& trace = *result.trace;
  std::map<SequenceNumber, std::set<Position>> own;  // positions that each sequence decoded
  for (const TraceSpan& span : trace.spans)
    for (size_t i = 0; i < span.tokens.size(); ++i)
      EXPECT_TRUE(own[span.sequence].insert(span.begin + static_cast<Position>(i)).second);
  const SequenceNumber stream = std::find_if(trace.spans.begin(), trace.spans.end(), [](auto& s) {
                                  return to_string(s.owner) == "stream 0";
                                })->sequence;
  int committed = 0;
  for (const TraceEdit& edit : trace.edits) {
    if (edit.kind != EditKind::kJoin || edit.sequence != stream || edit.begin == 0) continue;
    for (Position at = edit.begin; at < edit.end; ++at) {
      EXPECT_FALSE(own[stream].contains(at));
      ++committed;
    }
  }
  // The paused token and the line without its last token, which the stream decodes itself.
  EXPECT_EQ(committed, result.polyphon.at("search").at("committed_tokens"));
  int decoded = 0;
  for (const TraceSpan& span : trace.spans)
    if (to_string(span.owner).starts_with("search "))
      decoded += static_cast<int>(span.tokens.size());
  EXPECT_EQ(decoded, result.polyphon.at("search").at("tokens"));
}

TEST_F(SearchTest, TheTreeIsInTheTraceAndAddsUp) {
  start(good_and_bad);
  const FinishedForTest result = think(input("1x60"));
  const Trace stored = trace_from_json(Json::parse(to_json(*result.trace).dump()));
  const Json report = to_json(*stored.result.search);
  for (const Json& search : report.at("searches")) {
    const Json& tree = search.at("tree");
    EXPECT_EQ(tree.at(0).at("visits"), search.at("simulations"));
    int steps = 0, same = 0;
    for (const Json& node : tree) {
      if (node.at("id") == 0) continue;
      steps += node.at("tokens").get<int>();
      same += node.contains("same_as");
      const std::string text = node.at("text");
      EXPECT_EQ(text.size(), node.at("tokens").get<size_t>());
      const double confidence = std::exp(node.at("mean_logprob").get<double>());
      EXPECT_NEAR(node.at("value").get<double>(), 1 / (1 + std::exp(3 - 4 * confidence)), 1e-6);
    }
    EXPECT_EQ(steps, search.at("tokens"));
    EXPECT_GT(same, 0);  // the certain line was sampled more than once
  }
}

TEST_F(SearchTest, TheCheckersVerdictReplacesTheHeadsValue) {
  ReasonOptions options = quiet();
  // The model is more certain of the wrong answer.
  options.answer_value = [](const std::string& answer) { return answer == "7" ? 1.0 : 0.0; };
  start(
      [](const FakeRow& row, std::span<float> logits) {
        const std::string line = "answer: ";
        const auto at = line.find(static_cast<char>(row.row.token));
        const bool digit = row.row.token == '7' || row.row.token == '8';
        if (row.row.token == ' ' && row.visible[row.visible.size() - 2] == ':') {
          logits['8'] = 51;
          logits['7'] = 50;
        } else if (digit) {
          logits['\n'] = 50;
        } else if (at != std::string::npos && at + 1 < line.size() && row.row.token != ' ') {
          logits[static_cast<size_t>(line[at + 1])] = 50;
        } else {
          logits['a'] = 50;
        }
      },
      options);
  ThinkInput wish = input("1x60");
  wish.search.step_tokens = 12;
  wish.search.max_stream_searches = 1;
  const FinishedForTest result = think(wish);
  const Json& search = result.polyphon.at("search").at("searches").at(0);
  EXPECT_EQ(search.at("text"), "answer: 7\n");
  for (const Json& node : search.at("tree"))
    EXPECT_TRUE(!node.contains("answer") || node.at("value") == (node.at("answer") == "7" ? 1 : 0));
}

TEST_F(SearchTest, AStreamThatEndsInItsSearchLeavesNothingInTheCache) {
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
          logits[said < 9 ? 'x' : said < 10 ? ' ' : said < 11 ? '7' : FakeTokens::kEnd] = 50;
      },
      options);
  const FinishedForTest result = think(input("3x200"));
  const Json& streams = result.polyphon.at("streams");
  EXPECT_EQ(streams.at(2).at("finish_reason"), "agreement");
  const Json& searches = result.polyphon.at("search").at("searches");
  ASSERT_EQ(searches.size(), 1u);
  EXPECT_EQ(searches.at(0).at("why_ended"), "the stream ended");
  EXPECT_EQ(searches.at(0).at("committed_tokens"), 0);
  EXPECT_GT(searches.at(0).at("tokens"), 0);
  EXPECT_EQ(count<SearchEnded>(), 0);
  // The stream's last token is in its view, where the answer sees it.
  const std::string text = streams.at(2).at("text");
  const TraceSpan* last = nullptr;
  for (const TraceSpan& span : result.trace->spans)
    if (to_string(span.owner) == "stream 2" && !span.tokens.empty()) last = &span;
  ASSERT_NE(last, nullptr);
  EXPECT_EQ(last->tokens, Tokens{static_cast<unsigned char>(text.back())});
  expect_nothing_left();
}

// Branches that end their turn, and streams that are urged to continue, with a search in between.
TEST_F(SearchTest, AnUrgedStreamContinuesAfterABranchThatEndedItsTurn) {
  start([](const FakeRow& row, std::span<float> logits) {
    uint64_t seen = 0;
    for (const Token token : row.visible) seen = mix_bits(seen + static_cast<uint64_t>(token));
    logits['a' + seen % 26] = 50;
    if (seen % 5 == 0) logits['\n'] = 51;
    if (seen % 11 == 0) logits[FakeTokens::kEnd] = 60;
  });
  ThinkInput wish = input("2x300");
  wish.diversity.spend_budget = true;
  wish.search.max_stream_searches = 50;
  wish.search.max_searches = 100;
  const FinishedForTest result = think(wish);
  int ended_and_committed = 0;
  for (const Json& search : result.polyphon.at("search").at("searches"))
    for (const Json& node : search.at("tree"))
      ended_and_committed += node.contains("terminal") && node.at("parent") == 0 &&
                             node.at("text") == search.at("text");
  EXPECT_GT(ended_and_committed, 0);
  for (const Json& stream : result.polyphon.at("streams"))
    EXPECT_NE(stream.at("text").get<std::string>().find("check that again"), std::string::npos);
  SessionTicket same = reasoner_->replay(*result.trace, {});
  const TraceComparison equal = compare_traces(*result.trace, *wait_finished(same).trace);
  EXPECT_EQ(equal.matching, equal.tokens) << equal.first_difference;
  expect_nothing_left();
}

TEST(SearchRealModel, SixtyFourSimulationsBatchAtLeastEightLeavesAStep) {
  ModelOptions options;
  options.path = real_model_path();
  ASSERT_FALSE(options.path.empty()) << "run by ctest, which sets POLYPHON_TEST_MODEL";
  auto model = load_language_model(options);
  DecoderOptions sizes;
  sizes.context_cells = 8192;
  const SteadyClock clock;
  auto engine = std::make_unique<Engine>(model->make_decoder(sizes), EngineOptions{}, clock);
  Reasoner reasoner(std::move(model), std::move(engine), ReasonOptions{},
                    Reasoner::Identity{"v1", "digest", "hash"});
  ThinkInput input;
  input.chat.messages = {
      {{"role", "user"},
       {"content", "Ann has 3 boxes of 12 pens and gives 7 away. How many are left?"}}};
  // From here on the prompt is in the prefix cache, for the recorded session and for its replay.
  input.topology = parse_topology("1x4");
  SessionTicket warm = reasoner.think(input, {});
  wait_finished(warm);
  input.topology = parse_topology("1x96");
  input.sampling.seed = 3;
  input.max_answer_tokens = 16;
  input.search.mode = SearchMode::kAlways;
  input.search.simulations = 64;
  input.search.max_stream_searches = 1;
  SessionTicket ticket = reasoner.think(input, {});
  const FinishedForTest result = wait_finished(ticket);
  const Json& searches = result.polyphon.at("search").at("searches");
  ASSERT_EQ(searches.size(), 1u);
  EXPECT_EQ(searches.at(0).at("simulations"), 64);
  EXPECT_GE(searches.at(0).at("leaves_per_step"), 8.0);
  EXPECT_GT(searches.at(0).at("committed_tokens"), 0);
  SessionTicket same = reasoner.replay(*result.trace, {});
  const TraceComparison equal = compare_traces(*result.trace, *wait_finished(same).trace);
  EXPECT_EQ(equal.matching, equal.tokens) << equal.first_difference;
}

}  // namespace
}  // namespace polyphon
