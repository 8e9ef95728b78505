#include "workspace/global_workspace.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "base/clock_for_test.h"
#include "base/error.h"
#include "model/fake_language_model.h"
#include "record/codec.h"
#include "sessions/finished_for_test.h"
#include "sessions/reasoner.h"
#include "sessions/trace_views_for_test.h"

namespace polyphon {
namespace {

// A Reasoner with a fake model. Unless a test gives a script, the next token is a hash of what a
// row sees. Records every decoded row.
class WorkspaceTest : public ::testing::Test {
 protected:
  void start(const FakeDecoder::Script& script = {}, const ReasonOptions& options = quiet()) {
    FakeDecoder::Options sizes;
    sizes.capacity_cells = 1 << 15;
    sizes.max_rows = 1024;
    auto model = std::make_unique<FakeLanguageModel>(
        sizes, [this, script](const FakeRow& row, std::span<float> logits) {
          rows_.push_back(row);
          if (script) return script(row, logits);
          uint64_t seen = 0;
          for (Token token : row.visible) seen = mix_bits(seen + static_cast<uint64_t>(token));
          logits['a' + seen % 26] = 50;
          logits['a' + (seen >> 8) % 26] = 49;
        });
    auto engine = std::make_unique<Engine>(model->make_fake_decoder(), EngineOptions{}, kClock);
    reasoner_ = std::make_unique<Reasoner>(std::move(model), std::move(engine), options,
                                           Reasoner::Identity{"v1", "digest", "hash"});
  }

  static ReasonOptions quiet() {
    ReasonOptions options;
    options.collapse.enabled = false;
    options.agreement.enabled = false;
    options.workspace.registers[0].note_tokens = 6;
    return options;
  }

  static ThinkInput input(const std::string& topology, int registers, double threshold) {
    ThinkInput input;
    input.chat.messages = {{{"role", "user"}, {"content", "How many?"}}};
    input.topology = parse_topology(topology);
    input.sampling.seed = 5;
    input.max_answer_tokens = 8;
    input.workspace.registers = registers;
    input.workspace.gate_threshold = threshold;
    input.workspace.cadence_tokens = 8;
    input.workspace.refractory_tokens = 8;
    return input;
  }

  FinishedForTest think(const ThinkInput& input) {
    SessionTicket ticket = reasoner_->think(input, {});
    events_.clear();
    return wait_finished(ticket, [&](const SessionEvent& event) { events_.push_back(event); });
  }

  static const TraceSpan& span(const Trace& trace, const std::string& owner) {
    return span_of(trace, owner);
  }

  std::unique_ptr<Reasoner> reasoner_;
  std::vector<SessionEvent> events_;
  std::vector<FakeRow> rows_;
};

TEST_F(WorkspaceTest, ARegisterSeesThePromptAndEveryStreamUpToItsCadence) {
  start();
  const FinishedForTest result = think(input("3x24", 1, 1));
  const Trace& trace = *result.trace;
  const TraceSpan& cue = span(trace, "cue consistency");
  std::map<Position, int> expected;
  for (const TraceSpan& other : trace.spans) {
    if (other.sequence == cue.sequence) continue;
    for (size_t i = 0; i < other.tokens.size(); ++i)
      if (other.steps[i] < cue.steps[0]) ++expected[other.begin + static_cast<Position>(i)];
  }
  const int streams_seen = expected[span(trace, "preamble 0").begin];
  EXPECT_EQ(streams_seen, 3);
  for (size_t i = 0; i < cue.tokens.size(); ++i) ++expected[cue.begin + static_cast<Position>(i)];
  EXPECT_EQ(view_at(trace, cue.sequence, cue.steps.back()), expected);
  // Exactly at the cadence: the longest stream had 8 tokens.
  const TraceSpan& stream = span(trace, "stream 0");
  EXPECT_EQ(std::count_if(stream.steps.begin(), stream.steps.end(),
                          [&](Step step) { return step < cue.steps[0]; }),
            7);  // the eighth is sampled but not decoded yet
}

// Every sampled token's row saw exactly the cells that the trace's edits put into its view, at
// positions up to its own.
TEST_F(WorkspaceTest, EveryRowSeesWhatTheTraceSays) {
  start();
  const FinishedForTest result = think(input("3x30>2x20", 2, 0));
  const Trace& trace = *result.trace;
  EXPECT_FALSE(result.polyphon.at("promotions").empty());
  EXPECT_GT(expect_rows_see_what_the_trace_says(trace, rows_), 130);
}

TEST_F(WorkspaceTest, ARegisterMayHaveACadenceOfItsOwn) {
  ReasonOptions options = quiet();
  options.workspace.registers[1].cadence_tokens = 20;
  options.workspace.registers[1].note_tokens = 6;
  start({}, options);
  const Json costs = think(input("3x64", 2, 1)).polyphon.at("registers");
  ASSERT_EQ(costs[1].at("name"), "hunch");
  EXPECT_EQ(costs[1].at("notes"), 2);  // the budget leaves no time for a third
  EXPECT_GT(costs[0].at("notes"), 3);
}

TEST_F(WorkspaceTest, StreamsDoNotSeeARegisterThatWasNotPromoted) {
  start();
  const FinishedForTest with = think(input("3x24", 1, 1));
  const FinishedForTest without = think(input("3x24", 0, 1));
  for (int k = 0; k < 3; ++k) {
    const std::string owner = "stream " + std::to_string(k);
    EXPECT_EQ(span(*with.trace, owner).tokens, span(*without.trace, owner).tokens);
  }
  EXPECT_TRUE(with.polyphon.at("promotions").empty());
  int refused = 0;
  for (const TraceDecision& decision : with.trace->decisions)
    refused += to_json(decision)["kind"] == "gate" && !to_json(decision)["detail"].at("promoted");
  EXPECT_GT(refused, 0);
}

TEST_F(WorkspaceTest, EveryStreamSeesAPromotedNoteAtOnceWithoutDecodingIt) {
  start();
  const FinishedForTest result = think(input("3x40", 1, 0));
  const Trace& trace = *result.trace;
  const Json& promotion = result.polyphon.at("promotions").at(0);
  EXPECT_EQ(promotion.at("source"), "consistency");
  const TraceSpan& cue = span(trace, "cue consistency");
  const TraceSpan& note = span(trace, "note consistency 0");
  int joins = 0;
  for (const TraceEdit& edit : trace.edits) {
    if (edit.kind != EditKind::kJoin || edit.source != note.sequence) continue;
    if (edit.step != promotion.at("step")) continue;
    ++joins;
    EXPECT_EQ(edit.begin, cue.begin);
    EXPECT_EQ(edit.end, note.begin + static_cast<Position>(note.tokens.size()));
    // The stream's next token comes after the note and sees it.
    bool next = false;
    for (const TraceSpan& after : trace.spans)
      for (size_t i = 0; after.sequence == edit.sequence && i < after.steps.size(); ++i)
        next = next ||
               (after.steps[i] == edit.step && after.begin + static_cast<Position>(i) == edit.end);
    EXPECT_TRUE(next);
  }
  EXPECT_EQ(joins, 3);
  for (int k = 0; k < 3; ++k) {
    // Each stream costs one more row, for the token that it reads at this step; then it reads the
    // cue.
    const TraceSpan& probe = span(trace, fmt::format("probe {}", k));
    ASSERT_EQ(probe.steps, std::vector<Step>{promotion.at("step").get<Step>()});
    std::optional<Token> read;
    for (const TraceSpan& part : trace.spans)
      for (size_t i = 0;
           to_string(part.owner) == fmt::format("stream {}", k) && i < part.steps.size(); ++i)
        if (part.steps[i] == probe.steps[0]) read = part.tokens[i];
    EXPECT_EQ(probe.tokens, Tokens{read.value()});
    EXPECT_EQ(span(trace, fmt::format("cue {}", k)).steps.front(), probe.steps[0] + 1);
  }
  // Each stream's reaction is recorded and measured.
  const Json& streams = result.polyphon.at("workspace").at(0).at("streams");
  ASSERT_EQ(streams.size(), 3u);
  for (const Json& stream : streams) EXPECT_GT(stream.at("kl").get<double>(), 0);
  EXPECT_EQ(
      std::count_if(events_.begin(), events_.end(),
                    [](const SessionEvent& e) { return std::holds_alternative<Promoted>(e); }),
      static_cast<std::ptrdiff_t>(result.polyphon.at("promotions").size()));
}

// A register that has read more since its note may hold streams' cells at the note's positions;
// these must not be joined.
TEST_F(WorkspaceTest, APromotionBringsTheNotesCellsAndNoOthers) {
  start();
  ThinkInput wish = input("3x64", 3, 0);
  wish.workspace.cadence_tokens = 3;
  wish.workspace.refractory_tokens = 20;
  const Trace trace = *think(wish).trace;
  int joins = 0;
  for (const TraceEdit& edit : trace.edits) {
    const auto is_of = [&](SequenceNumber sequence, const char* owner) {
      return std::any_of(trace.spans.begin(), trace.spans.end(), [&](const TraceSpan& span) {
        return span.sequence == sequence && to_string(span.owner).starts_with(owner);
      });
    };
    if (edit.kind != EditKind::kJoin || !is_of(edit.source, "note ") ||
        !is_of(edit.sequence, "stream "))
      continue;
    ++joins;
    // Each position occurs once: only the note's own cells.
    for (const auto& [position, cells] : view_at(trace, edit.source, edit.step))
      if (position >= edit.begin && position < edit.end) EXPECT_EQ(cells, 1) << position;
  }
  EXPECT_GT(joins, 3);
}

TEST_F(WorkspaceTest, ANoteThatChangesNothingHasNoEffect) {
  // The next token does not depend on the view.
  start([](const FakeRow& row, std::span<float> logits) {
    logits['a' + static_cast<size_t>(row.row.token) % 7] = 5;
  });
  const FinishedForTest result = think(input("3x40", 1, 0));
  for (const Json& stream : result.polyphon.at("workspace").at(0).at("streams"))
    EXPECT_EQ(stream.at("kl"), 0);
}

TEST_F(WorkspaceTest, SwappedHeadsDecideInSessionsThatComeAfter) {
  start();
  EXPECT_FALSE(think(input("3x40", 1, 0.01)).polyphon.at("promotions").empty());
  Heads never;
  never.version = "night-1";
  never.gate.bias = -100;
  reasoner_->swap_heads(never);
  const FinishedForTest result = think(input("3x40", 1, 0.01));
  EXPECT_TRUE(result.polyphon.at("promotions").empty());
  EXPECT_EQ(result.trace->version, "v1+night-1");
}

TEST_F(WorkspaceTest, CandidatesCompeteAndTheRefractoryPeriodHolds) {
  start();
  ThinkInput wish = input("3x64", 3, 0);
  wish.workspace.refractory_tokens = 24;
  const FinishedForTest result = think(wish);
  const Json& broadcasts = result.polyphon.at("workspace");
  ASSERT_GE(broadcasts.size(), 2u);
  EXPECT_LE(broadcasts.size(), 3u);  // 64 tokens with 24 between two broadcasts
  int lost = 0;
  for (const Json& broadcast : broadcasts)
    for (const Json& loser : broadcast.at("lost")) {
      EXPECT_LE(loser.at("p").get<double>(), broadcast.at("p").get<double>());
      ++lost;
    }
  EXPECT_GT(lost, 0);
  const Json& costs = result.polyphon.at("registers");
  ASSERT_EQ(costs.size(), 3u);
  int thought = 0;
  for (const Json& cost : costs) {
    EXPECT_GT(cost.at("rows").get<int>(), cost.at("tokens").get<int>());
    thought += cost.at("tokens").get<int>();
  }
  for (const Json& stream : result.polyphon.at("streams"))
    thought += stream.at("tokens").get<int>();
  EXPECT_EQ(result.usage.reasoning_tokens, thought);
}

TEST_F(WorkspaceTest, AStreamsConclusionIsBroadcastToTheOthers) {
  // The first stream answers and ends. Its sequence is the first one that the session opens after
  // the prompt's, whose view the streams share.
  std::optional<SequenceId> brief;
  start([&](const FakeRow& row, std::span<float> logits) {
    if (!brief && row.row.token == '\n' && row.row.position > 60) brief = row.row.sequence;
    const bool mine = brief == row.row.sequence;
    const bool said = row.row.token == '4';
    logits[static_cast<size_t>(!mine ? 'z' : said ? FakeTokens::kEnd : '4')] = 50;
  });
  ThinkInput wish = input("3x40", 1, 0);
  wish.workspace.cadence_tokens = 1000;
  const FinishedForTest result = think(wish);
  const Json& broadcast = result.polyphon.at("workspace").at(0);
  EXPECT_EQ(broadcast.at("text"), "4");
  EXPECT_EQ(broadcast.at("features").at("conclusion"), 1);
  EXPECT_EQ(broadcast.at("streams").size(), 2u);
}

TEST_F(WorkspaceTest, ReplayIsEqualAndWithoutAPromotionEqualUpToIt) {
  start();
  const FinishedForTest recorded = think(input("3x40", 2, 0));
  const Trace stored = trace_from_json(Json::parse(to_json(*recorded.trace).dump()));
  SessionTicket same = reasoner_->replay(stored, {});
  const TraceComparison equal = compare_traces(stored, *wait_finished(same).trace);
  EXPECT_EQ(equal.matching, equal.tokens) << equal.first_difference;

  SessionTicket other = reasoner_->replay(stored, {}, 0);
  const FinishedForTest counterfactual = wait_finished(other);
  const Json& decided = counterfactual.polyphon.at("workspace").at(0);
  EXPECT_FALSE(decided.at("carried_out"));
  EXPECT_EQ(decided.at("text"), recorded.polyphon.at("promotions").at(0).at("text"));
  const Step edit = decided.at("step").get<Step>();
  for (int k = 0; k < 3; ++k) {
    const TraceSpan& a = span(stored, "stream " + std::to_string(k));
    const TraceSpan& b = span(*counterfactual.trace, "stream " + std::to_string(k));
    for (size_t i = 0; i < std::min(a.tokens.size(), b.tokens.size()); ++i)
      EXPECT_TRUE(a.steps[i] >= edit || a.tokens[i] == b.tokens[i]);
    EXPECT_GT(b.tokens.size(), a.tokens.size());  // it is not interrupted in the replay
  }
}

// The estimated needs are an upper bound: no session exceeds them.
TEST_F(WorkspaceTest, TheReservedCellsAreEnough) {
  start();
  for (const char* topology : {"1x40", "2x33", "5x16", "2x20>3x20"})
    for (int cadence : {1, 3, 20})
      for (int refractory : {1, 7, 100}) {
        ThinkInput wish = input(topology, 3, 0);
        wish.workspace.cadence_tokens = cadence;
        wish.workspace.refractory_tokens = refractory;
        EXPECT_NO_THROW(think(wish)) << topology << " " << cadence << " " << refractory;
      }
  ASSERT_TRUE(reasoner_->engine()->drain(std::chrono::seconds(20)));
  EXPECT_EQ(reasoner_->engine()->status().cells_used, reasoner_->engine()->status().cells_cached);
}

TEST_F(WorkspaceTest, OptionsOutOfRangeAreRefusedByName) {
  start();
  const auto refused = [&](auto change) {
    ThinkInput wish = input("2x16", 1, 0.5);
    change(wish.workspace);
    try {
      think(wish);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      return error.field();
    }
    return std::string();
  };
  EXPECT_EQ(refused([](WorkspaceRequest& w) { w.registers = 4; }), "polyphon.registers");
  EXPECT_EQ(refused([](WorkspaceRequest& w) { w.registers = -1; }), "polyphon.registers");
  EXPECT_EQ(refused([](WorkspaceRequest& w) { w.gate_threshold = 1.5; }),
            "polyphon.gate_threshold");
  EXPECT_EQ(refused([](WorkspaceRequest& w) { w.gate_threshold = NAN; }),
            "polyphon.gate_threshold");
  EXPECT_EQ(refused([](WorkspaceRequest& w) { w.cadence_tokens = 0; }),
            "polyphon.register_cadence");
  EXPECT_EQ(refused([](WorkspaceRequest& w) { w.refractory_tokens = 0; }),
            "polyphon.gate_refractory");
}

TEST(Gate, ProbabilityFollowsTheWeightsAndTheHiddenState) {
  GateHead head;
  head.weights = {1, 0, 0, 0, 0, 0};
  head.bias = -1;
  GateFeatures features;
  EXPECT_NEAR(promotion_probability(head, features, {}), 1 / (1 + std::exp(1.0)), 1e-12);
  features.confidence = 1;
  EXPECT_NEAR(promotion_probability(head, features, {}), 0.5, 1e-12);
  head.hidden_weights = {2, -1};
  const std::vector<float> hidden = {0.5f, 3};
  EXPECT_NEAR(promotion_probability(head, features, hidden), 1 / (1 + std::exp(2.0)), 1e-12);
}

TEST(Gate, DivergenceIsZeroOnlyForEqualDistributions) {
  const std::vector<float> p = {std::log(0.5f), std::log(0.5f), -INFINITY};
  const std::vector<float> q = {std::log(0.25f), std::log(0.5f), std::log(0.25f)};
  EXPECT_EQ(kl_divergence(p, p), 0);
  EXPECT_NEAR(kl_divergence(p, q), 0.5 * std::log(2.0), 1e-6);
}

}  // namespace
}  // namespace polyphon
