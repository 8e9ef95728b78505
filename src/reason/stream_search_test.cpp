#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <set>

#include "base/error.h"
#include "base/random.h"
#include "model/fake_language_model.h"
#include "model/real_model_for_test.h"
#include "reason/reasoner.h"

namespace polyphon {
namespace {

// Moves by a millisecond whenever it is looked at, if it runs at all.
class TestClock final : public Clock {
 public:
  TimePoint now() const override {
    return TimePoint(std::chrono::microseconds(runs ? ticks += 1000 : ticks.load()));
  }
  std::atomic<bool> runs = false;
  mutable std::atomic<int64_t> ticks = 0;
};

class SearchTest : public ::testing::Test {
 protected:
  void start(const FakeDecoder::Script& script, const ReasonOptions& options = quiet(),
             int max_sequences = 256) {
    FakeDecoder::Options sizes;
    sizes.capacity_cells = 1 << 15;
    sizes.max_rows = 1024;
    sizes.max_sequences = max_sequences;
    auto model = std::make_unique<FakeLanguageModel>(
        sizes, [this, script](const FakeRow& row, std::span<float> logits) {
          rows_.push_back(row);
          script(row, logits);
        });
    auto engine = std::make_unique<Engine>(model->make_fake_decoder(), EngineOptions{}, clock_);
    reasoner_ = std::make_unique<Reasoner>(std::move(model), std::move(engine), options,
                                           Reasoner::Identity{"v1", "digest", "hash"});
    Heads heads;
    heads.value.weights = {4, 0, 0, 0, 0, 0};  // confidence alone
    heads.value.bias = -3;
    reasoner_->swap_heads(heads);
  }

  static ReasonOptions quiet() {
    ReasonOptions options;
    options.collapse.enabled = false;
    options.agreement.enabled = false;
    options.temperature_ladder = 0;
    return options;
  }

  static ThinkInput input(const std::string& topology) {
    ThinkInput input;
    input.chat.messages = {{{"role", "user"}, {"content", "How many?"}}};
    input.topology = parse_topology(topology);
    input.sampling.seed = 5;
    input.max_answer_tokens = 8;
    input.search.mode = SearchMode::kAlways;
    input.search.step_tokens = 8;
    input.search.min_gap_tokens = 1;
    input.search.max_stream_searches = 2;
    return input;
  }

  Finished think(const ThinkInput& input) {
    SessionTicket ticket = reasoner_->think(input, {});
    events_.clear();
    return wait_finished(ticket, [&](const SessionEvent& event) { events_.push_back(event); });
  }

  template <typename Event>
  std::ptrdiff_t count() const {
    return std::count_if(events_.begin(), events_.end(), [](const SessionEvent& event) {
      return std::holds_alternative<Event>(event);
    });
  }

  // What every stream said, in the order of its spans: also what searches committed.
  static std::string text_of(const Finished& result, size_t stream) {
    return result.polyphon.at("streams").at(stream).at("text");
  }

  // At the beginning of a line the model is of two minds. One line it writes for sure, the other
  // one it makes up as it goes.
  static void good_and_bad(const FakeRow& row, std::span<float> logits) {
    const auto token = static_cast<size_t>(row.row.token);
    const bool bad = token >= 'b' && token <= 'e';
    const size_t line = static_cast<size_t>(
        std::find(row.visible.rbegin(), row.visible.rend(), Token{'\n'}) - row.visible.rbegin());
    if (token == 'g' || token == 'h' || token == 'i')
      logits[token + 1] = 50;
    else if (token == 'j' || (bad && line >= 4))
      logits['\n'] = 50;
    else if (bad)
      logits['c'] = logits['d'] = logits['e'] = 50;
    else
      logits['g'] = logits['b'] = 50;
  }

  // Every session left the cache as it found it.
  void expect_nothing_left() {
    ASSERT_TRUE(reasoner_->engine()->drain(std::chrono::seconds(20)));
    const EngineStatus status = reasoner_->engine()->status();
    EXPECT_EQ(status.cells_used, status.cells_cached);
    EXPECT_EQ(status.sessions_failed, 0);
  }

  TestClock clock_;
  std::unique_ptr<Reasoner> reasoner_;
  std::vector<SessionEvent> events_;
  std::vector<FakeRow> rows_;
};

TEST_F(SearchTest, TheBranchOfTheGreaterValueIsCommittedAndOnlyItIsSeen) {
  start(good_and_bad);
  const Finished result = think(input("1x60"));
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
  EXPECT_EQ(text.size(), 60u);  // the budget, of which what was committed is a part
  EXPECT_EQ(count<SearchBegan>(), 2);
  EXPECT_EQ(count<SearchEnded>(), 2);

  // No row ever saw a cell beside its own line: positions are 0, 1, 2, ... for branches, too.
  std::set<Tokens> seen;
  for (const FakeRow& row : rows_) {
    for (size_t i = 0; i < row.positions.size(); ++i)
      ASSERT_EQ(row.positions[i], static_cast<Position>(i));
    seen.insert(row.visible);
  }
  // And at every token the stream saw all that it had said, once.
  const auto span = [&](const std::string& owner) {
    return std::find_if(result.trace->spans.begin(), result.trace->spans.end(),
                        [&](const TraceSpan& s) { return s.owner == owner; });
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
  const Finished result = think(input("1x60"));
  const Trace& trace = *result.trace;
  std::map<SequenceNumber, std::set<Position>> own;  // by sequence: what it decoded
  for (const TraceSpan& span : trace.spans)
    for (size_t i = 0; i < span.tokens.size(); ++i)
      EXPECT_TRUE(own[span.sequence].insert(span.begin + static_cast<Position>(i)).second);
  const SequenceNumber stream = std::find_if(trace.spans.begin(), trace.spans.end(), [](auto& s) {
                                  return s.owner == "stream 0";
                                })->sequence;
  int committed = 0;
  for (const TraceEdit& edit : trace.edits) {
    if (edit.kind != "join" || edit.sequence != stream || edit.begin == 0) continue;
    for (Position at = edit.begin; at < edit.end; ++at) {
      EXPECT_FALSE(own[stream].contains(at));
      ++committed;
    }
  }
  // The paused token and all of the line but its last, which the stream reads itself.
  EXPECT_EQ(committed, result.polyphon.at("search").at("committed_tokens"));
  int decoded = 0;
  for (const TraceSpan& span : trace.spans)
    if (span.owner.starts_with("search ")) decoded += static_cast<int>(span.tokens.size());
  EXPECT_EQ(decoded, result.polyphon.at("search").at("tokens"));
}

TEST_F(SearchTest, TheTreeIsInTheTraceAndAddsUp) {
  start(good_and_bad);
  const Finished result = think(input("1x60"));
  const Trace stored = trace_from_json(Json::parse(to_json(*result.trace).dump()));
  for (const Json& search : stored.result.at("search").at("searches")) {
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
    EXPECT_GT(same, 0);  // the sure line was drawn more than once
  }
}

TEST_F(SearchTest, TheCheckersValueOverrulesTheHead) {
  ReasonOptions options = quiet();
  // The model is surer of the wrong answer.
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
  const Finished result = think(wish);
  const Json& search = result.polyphon.at("search").at("searches").at(0);
  EXPECT_EQ(search.at("text"), "answer: 7\n");
  for (const Json& node : search.at("tree"))
    EXPECT_TRUE(!node.contains("answer") || node.at("value") == (node.at("answer") == "7" ? 1 : 0));
}

TEST_F(SearchTest, FewSequencesMakeASmallerTreeAndNeverAFailure) {
  start(good_and_bad);
  for (const int sequences : {2, 3, 5, 9}) {
    ThinkInput wish = input("2x60");
    wish.search.max_sequences = sequences;
    wish.search.parallel_leaves = 4;
    const Finished result = think(wish);
    std::map<SequenceNumber, int> open;
    int most = 0;
    for (const TraceEdit& edit : result.trace->edits) {
      if (edit.kind == "open") open[edit.sequence] = 1;
      if (edit.kind == "close") open.erase(edit.sequence);
      most = std::max(most, static_cast<int>(open.size()));
    }
    EXPECT_LE(most, sequences + 2 + 1);  // streams and the prompt's
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

TEST_F(SearchTest, APlanGetsFewerSequencesRatherThanNoSearch) {
  start(good_and_bad, quiet(), 32);  // of which a quarter is the prefix cache's
  ThinkInput wish = input("2x40");
  wish.search.max_sequences = 64;
  const Finished result = think(wish);
  EXPECT_EQ(result.trace->request.at("search").at("max_sequences"), 24 - 2 - 2);
  EXPECT_GT(result.polyphon.at("search").at("simulations"), 0);
}

TEST_F(SearchTest, TheTokenBudgetEndsASearchEarlyWithWhatItHas) {
  start(good_and_bad);
  ThinkInput wish = input("1x60");
  wish.search.max_tokens = 64;
  const Finished result = think(wish);
  const Json& search = result.polyphon.at("search");
  EXPECT_EQ(search.at("searches").at(0).at("why_ended"), "tokens");
  EXPECT_GT(search.at("searches").at(0).at("committed_tokens"), 0);
  EXPECT_LE(search.at("tokens"), 64);
  EXPECT_LT(search.at("searches").at(0).at("simulations"), 32);
  // The next one is refused, once for all, and says why.
  const auto refused = std::count_if(result.trace->decisions.begin(), result.trace->decisions.end(),
                                     [](const TraceDecision& decision) {
                                       return decision.kind == "search_refused" &&
                                              decision.detail.at("why") == "max_tokens";
                                     });
  EXPECT_EQ(refused, 1);
}

TEST_F(SearchTest, AStreamThatIsEndedInItsSearchLeavesNothingBehind) {
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
  const Finished result = think(input("3x200"));
  const Json& streams = result.polyphon.at("streams");
  EXPECT_EQ(streams.at(2).at("finish_reason"), "agreement");
  const Json& searches = result.polyphon.at("search").at("searches");
  ASSERT_EQ(searches.size(), 1u);
  EXPECT_EQ(searches.at(0).at("why_ended"), "the stream ended");
  EXPECT_EQ(searches.at(0).at("committed_tokens"), 0);
  EXPECT_GT(searches.at(0).at("tokens"), 0);
  EXPECT_EQ(count<SearchEnded>(), 0);
  // Its last token is in its view, where the answer sees it.
  const std::string text = streams.at(2).at("text");
  const TraceSpan* last = nullptr;
  for (const TraceSpan& span : result.trace->spans)
    if (span.owner == "stream 2" && !span.tokens.empty()) last = &span;
  ASSERT_NE(last, nullptr);
  EXPECT_EQ(last->tokens, Tokens{static_cast<unsigned char>(text.back())});
  expect_nothing_left();
}

// A model whose next token is a hash of what it sees: any wrong cell changes the rest.
void hashed(const FakeRow& row, std::span<float> logits) {
  uint64_t seen = 0;
  for (const Token token : row.visible) seen = mix_bits(seen + static_cast<uint64_t>(token));
  logits['a' + seen % 26] = 50;
  logits['a' + (seen >> 8) % 26] = 50;
  if (seen % 7 == 0) logits['\n'] = 51;
  if (seen % 97 == 0) logits[FakeTokens::kEnd] = 50;
}

TEST_F(SearchTest, AReplayHasTheSameTokensWithRegistersAndPromotionsBesideSearches) {
  start(hashed);
  for (const char* topology : {"1x80", "4x60", "3x40>2x40"}) {
    ThinkInput wish = input(topology);
    wish.workspace.registers = 2;
    wish.workspace.gate_threshold = 0;
    wish.workspace.cadence_tokens = 8;
    wish.workspace.refractory_tokens = 4;
    wish.search.max_sequences = 24;
    const Finished recorded = think(wish);
    EXPECT_GT(recorded.polyphon.at("search").at("committed_tokens"), 0);
    EXPECT_FALSE(recorded.polyphon.at("promotions").empty());
    const Trace stored = trace_from_json(Json::parse(to_json(*recorded.trace).dump()));
    SessionTicket same = reasoner_->replay(stored, {});
    const TraceComparison equal = compare_traces(stored, *wait_finished(same).trace);
    EXPECT_EQ(equal.matching, equal.tokens) << topology << " " << equal.first_difference;
  }
  expect_nothing_left();
}

// Branches that end their turn, and streams that are told to go on, with a search in between.
TEST_F(SearchTest, AStreamThatMustSpendItsBudgetGoesOnAfterABranchThatEnded) {
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
  const Finished result = think(wish);
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

// A promotion that comes while a stream searches reaches it afterwards.
TEST_F(SearchTest, PromotionsWaitForTheEndOfASearch) {
  start(hashed);
  ThinkInput wish = input("3x80");
  wish.workspace.registers = 1;
  wish.workspace.gate_threshold = 0;
  wish.workspace.cadence_tokens = 4;
  wish.workspace.refractory_tokens = 1;
  const Finished result = think(wish);
  std::map<int, std::vector<std::pair<Step, Step>>> searching;  // by stream
  for (const TraceDecision& decision : result.trace->decisions) {
    if (decision.kind == "search")
      searching[decision.detail.at("stream")].emplace_back(decision.step, INT32_MAX);
    if (decision.kind == "search_ended")
      searching[decision.detail.at("stream")].back().second = decision.step;
  }
  ASSERT_EQ(searching.size(), 3u);
  std::map<SequenceNumber, int> stream_of;
  for (const TraceSpan& span : result.trace->spans)
    for (int k = 0; k < 3; ++k)
      if (span.owner == "stream " + std::to_string(k)) stream_of[span.sequence] = k;
  int late = 0;
  for (const TraceSpan& span : result.trace->spans) {
    if (!span.owner.starts_with("cue ") || !stream_of.contains(span.sequence)) continue;
    for (const auto& [began, ended] : searching[stream_of[span.sequence]]) {
      for (const Step step : span.steps) EXPECT_TRUE(step < began || step >= ended);
      late += !span.steps.empty() && span.steps.front() == ended;
    }
  }
  EXPECT_GT(late, 0);
}

TEST_F(SearchTest, WhatIsSetAsideIsEnough) {
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

TEST_F(SearchTest, AClockThatEndsASearchIsHonouredByTheReplay) {
  start(hashed);
  clock_.runs = true;
  ThinkInput wish = input("2x60");
  wish.search.milliseconds = 40;
  const Finished recorded = think(wish);
  clock_.runs = false;  // it would never end one now
  const auto cut = [](const Finished& result) {
    int cut = 0;
    for (const Json& search : result.polyphon.at("search").at("searches"))
      cut += search.at("why_ended") == "milliseconds";
    return cut;
  };
  EXPECT_GT(cut(recorded), 0);
  Trace trace = *recorded.trace;
  for (int generation = 0; generation < 2; ++generation) {
    SessionTicket same = reasoner_->replay(trace, {});
    const Finished again = wait_finished(same);
    const TraceComparison equal = compare_traces(*recorded.trace, *again.trace);
    EXPECT_EQ(equal.matching, equal.tokens) << equal.first_difference;
    EXPECT_EQ(cut(again), cut(recorded));
    trace = *again.trace;
  }
}

TEST_F(SearchTest, WithoutSearchNothingChanges) {
  start(hashed);
  ThinkInput wish = input("2x40");
  wish.search.mode = SearchMode::kOff;
  const Finished off = think(wish);
  EXPECT_EQ(off.polyphon.at("search"), nullptr);
  wish.search.mode = SearchMode::kAuto;
  wish.search.entropy_threshold = 20;
  wish.search.value_drop = 1;
  const Finished quiet = think(wish);
  EXPECT_TRUE(quiet.polyphon.at("search").at("searches").empty());
  EXPECT_EQ(text_of(off, 0), text_of(quiet, 0));
  EXPECT_EQ(text_of(off, 1), text_of(quiet, 1));
}

TEST_F(SearchTest, WishesOutOfRangeAreRefusedByName) {
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
  // The prompt is in the prefix cache from here, for what is recorded and for its replay.
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
  const Finished result = wait_finished(ticket);
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
