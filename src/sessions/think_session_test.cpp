#include "sessions/think_session.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "base/clock_for_test.h"
#include "base/error.h"
#include "model/fake_language_model.h"
#include "record/codec.h"
#include "sessions/finished_for_test.h"
#include "sessions/reasoner.h"

namespace polyphon {
namespace {

// A Reasoner with a fake model. By default, the next token depends on everything a row sees.
class ThinkTest : public ::testing::Test {
 protected:
  void start(FakeDecoder::Script script = {}, const ReasonOptions& options = quiet(),
             int capacity_cells = 8192) {
    FakeDecoder::Options sizes;
    sizes.capacity_cells = capacity_cells;
    sizes.max_rows = 1024;  // so that one step decodes all preambles
    auto model = std::make_unique<FakeLanguageModel>(sizes, std::move(script));
    auto engine = std::make_unique<Engine>(model->make_fake_decoder(), EngineOptions{}, kClock);
    reasoner_ = std::make_unique<Reasoner>(std::move(model), std::move(engine), options,
                                           Reasoner::Identity{"v1", "digest", "hash"});
  }

  // Options under which no policy ends a stream early.
  static ReasonOptions quiet() {
    ReasonOptions options;
    options.collapse.enabled = false;
    options.agreement.enabled = false;
    return options;
  }

  static ThinkInput input(const std::string& topology, MergeMode merge = MergeMode::kKv) {
    ThinkInput input;
    input.chat.messages = {{{"role", "user"}, {"content", "How many?"}}};
    input.topology = parse_topology(topology);
    input.merge = merge;
    input.sampling.seed = 5;
    input.max_answer_tokens = 12;
    return input;
  }

  FinishedForTest think(const ThinkInput& input) {
    SessionTicket ticket = reasoner_->think(input, {});
    events_.clear();
    return wait_finished(ticket, [&](const SessionEvent& event) { events_.push_back(event); });
  }

  static const TraceSpan* span(const Trace& trace, const std::string& owner) {
    for (const TraceSpan& span : trace.spans)
      if (to_string(span.owner) == owner) return &span;
    return nullptr;
  }

  std::unique_ptr<Reasoner> reasoner_;
  std::vector<SessionEvent> events_;
};

TEST_F(ThinkTest, StreamsStartWhereThePromptEndsAndAdvanceTogether) {
  start();
  const FinishedForTest result = think(input("4x20"));
  const Trace& trace = *result.trace;
  const auto prompt_end = static_cast<Position>(span(trace, "prompt")->tokens.size());
  EXPECT_EQ(result.timings.prompt_tokens, prompt_end);
  std::set<Step> first_steps;
  for (int k = 0; k < 4; ++k) {
    EXPECT_EQ(span(trace, "preamble " + std::to_string(k))->begin, prompt_end);
    const TraceSpan& stream = *span(trace, "stream " + std::to_string(k));
    EXPECT_EQ(stream.tokens.size(), 20u);
    first_steps.insert(stream.steps.front());
    for (size_t i = 1; i < stream.steps.size(); ++i)
      EXPECT_EQ(stream.steps[i], stream.steps[i - 1] + 1);
  }
  EXPECT_EQ(first_steps.size(), 1u);
}

TEST_F(ThinkTest, TheKvMergeSeesPromptAndAllStreamsAndPrefillsOnlyTheInstruction) {
  std::map<Position, int> seen;  // by position visible to the answer's first token: number of cells
  bool recorded = false;
  start([&](const FakeRow& row, std::span<float> logits) {
    logits['a' + row.row.sequence % 26] = 5;
    // Finds the end of the merge instruction: a newline after "assistant", positioned after all
    // streams.
    if (!recorded && row.row.token == '\n' && row.visible.size() > 300) {
      for (Position position : row.positions) ++seen[position];
      recorded = true;
    }
  });
  const FinishedForTest result = think(input("3x10"));
  const Trace& trace = *result.trace;
  ASSERT_TRUE(recorded);
  const auto prompt_end = static_cast<Position>(span(trace, "prompt")->tokens.size());
  for (Position p = 0; p < prompt_end; ++p) EXPECT_EQ(seen[p], 1) << p;
  EXPECT_EQ(seen[prompt_end], 3);  // the first cell of every stream
  Position longest = 0;
  size_t stream_cells = 0;
  for (int k = 0; k < 3; ++k) {
    const TraceSpan& preamble = *span(trace, "preamble " + std::to_string(k));
    const TraceSpan& stream = *span(trace, "stream " + std::to_string(k));
    longest = std::max(longest, stream.begin + static_cast<Position>(stream.tokens.size()));
    stream_cells += preamble.tokens.size() + stream.tokens.size();
  }
  const TraceSpan& merge = *span(trace, "merge");
  EXPECT_EQ(merge.begin, longest);
  EXPECT_EQ(result.timings.merge_prefill_tokens, static_cast<int>(merge.tokens.size()));
  size_t visible = 0;
  for (const auto& [position, count] : seen) visible += static_cast<size_t>(count);
  EXPECT_EQ(visible, static_cast<size_t>(prompt_end) + stream_cells + merge.tokens.size());
}

TEST_F(ThinkTest, PrefillAndCompactDecodeTheTextAgain) {
  start();
  const int instruction = think(input("3x30")).timings.merge_prefill_tokens;
  EXPECT_GE(think(input("3x30", MergeMode::kPrefill)).timings.merge_prefill_tokens,
            instruction + 90);
  const int compact = think(input("3x30", MergeMode::kCompact)).timings.merge_prefill_tokens;
  EXPECT_GT(compact, instruction);
}

TEST_F(ThinkTest, VoteTakesTheMostFrequentAnswer) {
  // Each stream says a digit for the parity of its sequence number and ends: most say 2.
  start([](const FakeRow& row, std::span<float> logits) {
    const bool said = row.row.token == '2' || row.row.token == '7';
    const bool minority = row.row.sequence % 3 == 0;
    logits[static_cast<size_t>(said ? FakeTokens::kEnd : minority ? '7' : '2')] = 50;
  });
  const FinishedForTest result = think(input("6x20", MergeMode::kVote));
  EXPECT_EQ(result.trace->result.answer, "2");
  EXPECT_EQ(result.timings.merge_prefill_tokens, 0);
  EXPECT_EQ(span(*result.trace, "answer"), nullptr);
}

TEST_F(ThinkTest, VoteWithoutAnAnswerMergesInstead) {
  start();
  const FinishedForTest result = think(input("3x8", MergeMode::kVote));
  ASSERT_EQ(result.trace->decisions.size(), 1u);
  EXPECT_EQ(to_json(result.trace->decisions[0])["kind"], "merge");
  EXPECT_NE(span(*result.trace, "answer"), nullptr);
}

TEST_F(ThinkTest, ThePhaseAfterAMergeContinuesFromItsView) {
  start();
  const FinishedForTest result = think(input("3x10>2x15"));
  EXPECT_EQ(result.polyphon.at("streams").size(), 5u);
  const TraceSpan& bridge = *span(*result.trace, "bridge");
  const TraceSpan& second = *span(*result.trace, "preamble 3");
  EXPECT_EQ(second.begin, bridge.begin + static_cast<Position>(bridge.tokens.size()));
  EXPECT_EQ(span(*result.trace, "stream 4")->tokens.size(), 15u);
}

TEST_F(ThinkTest, AgreementEndsTheOthers) {
  ReasonOptions options = quiet();
  options.agreement = {true, 3, 0.5};
  // Sequences 1 to 5 answer 4 and end; the others go on.
  start(
      [](const FakeRow& row, std::span<float> logits) {
        const bool brief = row.row.sequence % 8 < 5;
        const bool said = row.row.token == '4';
        logits[static_cast<size_t>(!brief ? 'z' : said ? FakeTokens::kEnd : '4')] = 50;
      },
      options);
  const FinishedForTest result = think(input("8x200"));
  int ended = 0;
  for (const Json& stream : result.polyphon.at("streams"))
    ended += stream.at("finish_reason") == "agreement";
  EXPECT_GT(ended, 0);
  EXPECT_LT(result.usage.reasoning_tokens, 100);

  ThinkInput undisturbed = input("8x200");
  undisturbed.diversity.agreement = false;
  const FinishedForTest whole = think(undisturbed);
  for (const Json& stream : whole.polyphon.at("streams"))
    EXPECT_NE(stream.at("finish_reason"), "agreement");
}

TEST_F(ThinkTest, AFollowerIsReseededAndThenEnded) {
  ReasonOptions options = quiet();
  options.collapse.enabled = true;
  options.collapse.cadence_tokens = 8;
  options.collapse.window_tokens = 8;
  options.collapse.hidden_cosine = -1;
  start([](const FakeRow&, std::span<float> logits) { logits['z'] = 50; }, options);
  const FinishedForTest result = think(input("2x100"));
  const Json& streams = result.polyphon.at("streams");
  EXPECT_EQ(streams[0].at("finish_reason"), "length");
  EXPECT_EQ(streams[1].at("finish_reason"), "collapsed");
  ASSERT_EQ(result.trace->decisions.size(), 2u);
  EXPECT_EQ(to_json(result.trace->decisions[0])["detail"].at("action"), "reseed");
  EXPECT_EQ(to_json(result.trace->decisions[1])["detail"].at("action"), "end");
  EXPECT_NE(span(*result.trace, "cue 1"), nullptr);
}

TEST_F(ThinkTest, ReplayGivesTheSameTokens) {
  start();
  const FinishedForTest recorded = think(input("4x25>1x30"));
  const Trace stored = trace_from_json(Json::parse(to_json(*recorded.trace).dump()));
  SessionTicket ticket = reasoner_->replay(stored, {});
  const FinishedForTest again = wait_finished(ticket);
  const TraceComparison compared = compare_traces(stored, *again.trace);
  EXPECT_EQ(compared.matching, compared.tokens) << compared.first_difference;
  EXPECT_GT(compared.tokens, 100);
}

TEST_F(ThinkTest, AnotherSeedGivesOtherTokens) {
  start([](const FakeRow&, std::span<float> logits) {
    for (char c = 'a'; c <= 'z'; ++c) logits[static_cast<size_t>(c)] = 5;
  });
  ThinkInput other = input("2x20");
  other.sampling.seed = 6;
  const FinishedForTest a = think(input("2x20")), b = think(other);
  EXPECT_LT(compare_traces(*a.trace, *b.trace).matching, compare_traces(*a.trace, *b.trace).tokens);
}

TEST_F(ThinkTest, StreamsOfOneStrategyBeginWithTheLikeliestTokensInTurn) {
  start([](const FakeRow&, std::span<float> logits) {
    for (char c = 'a'; c <= 'z'; ++c) logits[static_cast<size_t>(c)] = static_cast<float>('{' - c);
  });
  ThinkInput branching = input("4x5");
  branching.diversity.strategies = {"direct", "estimate_first"};
  branching.diversity.branch_first_token = true;
  const FinishedForTest result = think(branching);
  const auto first = [&](int stream) {
    return span(*result.trace, "stream " + std::to_string(stream))->tokens.at(0);
  };
  EXPECT_EQ(first(0), 'a');
  EXPECT_EQ(first(1), 'a');
  EXPECT_EQ(first(2), 'b');
  EXPECT_EQ(first(3), 'b');
}

TEST_F(ThinkTest, AnotherVersionTakesNewSessionsWhileOldOnesFinish) {
  start();
  const std::weak_ptr<Engine> before = reasoner_->engine();
  {
    SessionTicket running = reasoner_->think(input("4x200"), {});
    auto decoder = reasoner_->model().make_decoder({});
    reasoner_->swap_version(
        "v2", {}, std::make_unique<Engine>(std::move(decoder), EngineOptions{}, kClock), {});
    EXPECT_EQ(think(input("2x10")).trace->version, "v2");
    EXPECT_FALSE(before.expired());
    const FinishedForTest finished = wait_finished(running);
    EXPECT_EQ(finished.trace->version, "v1");
    EXPECT_EQ(span(*finished.trace, "stream 3")->tokens.size(), 200u);
  }
  EXPECT_TRUE(before.expired());
  const auto versions = reasoner_->engine_status();
  ASSERT_EQ(versions.size(), 2u);
  EXPECT_EQ(versions[0].version, "v1");
  EXPECT_EQ(versions[0].status.generated_tokens, 4 * 200 + 12)
      << "counters of an engine that ended are kept";
  EXPECT_EQ(versions[0].status.cells_capacity, 0);
  EXPECT_GT(versions[1].status.generated_tokens, 0);
}

TEST_F(ThinkTest, CellsAreFreeAfterwardsAndAfterCancelling) {
  start();
  think(input("4x50"));
  {
    SessionTicket ticket = reasoner_->think(input("8x400"), {});
    ticket.next(std::chrono::seconds(10));
  }  // the ticket is destroyed: the session is cancelled
  ASSERT_TRUE(reasoner_->engine()->drain(std::chrono::seconds(20)));
  const EngineStatus status = reasoner_->engine()->status();
  EXPECT_EQ(status.cells_used, status.cells_cached);
  EXPECT_EQ(status.sessions_cancelled, 1);
}

TEST_F(ThinkTest, AStopStringEndsTheAnswer) {
  start([](const FakeRow& row, std::span<float> logits) {
    logits[static_cast<size_t>(row.row.token == 'q' ? 'r' : 'q')] = 50;
  });
  ThinkInput wish = input("1x5");
  wish.stop = {"rq"};
  std::string answer = think(wish).trace->result.answer;
  EXPECT_EQ(answer, "q");
}

TEST_F(ThinkTest, ATopologyThatCannotFitIsRefusedOrNarrowed) {
  start({}, quiet(), 2048);
  ThinkInput wish = input("16x120");
  try {
    think(wish);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(error.field(), "polyphon.topology");
    EXPECT_NE(std::string(error.what()).find("2048"), std::string::npos) << error.what();
  }
  wish.narrow = true;
  EXPECT_LT(think(wish).polyphon.at("streams").size(), 16u);
}

// Clients rely on the order of events.
TEST_F(ThinkTest, ThoughtsComeBeforeTheAnswerAndTheEndIsLast) {
  start();
  think(input("2x5"));
  bool answering = false;
  for (const SessionEvent& event : events_) {
    answering = answering || std::holds_alternative<AnswerDelta>(event);
    EXPECT_FALSE(answering && std::holds_alternative<ThoughtDelta>(event));
  }
  EXPECT_TRUE(std::holds_alternative<Finished>(events_.back()));
}

class ThinkRealModel : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const char* path = std::getenv("POLYPHON_TEST_MODEL");
    ASSERT_NE(path, nullptr) << "run by ctest, which sets POLYPHON_TEST_MODEL";
    ModelOptions options;
    options.path = path;
    auto model = load_language_model(options);
    DecoderOptions sizes;
    sizes.context_cells = 4096;
    auto engine = std::make_unique<Engine>(model->make_decoder(sizes), EngineOptions{}, kClock);
    reasoner_ = std::make_unique<Reasoner>(std::move(model), std::move(engine), ReasonOptions{},
                                           Reasoner::Identity{"v1", "digest", "hash"});
  }
  static void TearDownTestSuite() { reasoner_.reset(); }

  static FinishedForTest think(const std::string& topology, MergeMode merge) {
    ThinkInput input;
    input.chat.messages = {
        {{"role", "user"},
         {"content", "Ann has 3 boxes of 12 pens and gives 7 away. How many are left?"}}};
    input.topology = parse_topology(topology);
    input.merge = merge;
    input.sampling.seed = 3;
    input.answer_sampling = input.sampling;
    input.max_answer_tokens = 24;
    SessionTicket ticket = reasoner_->think(input, {});
    return wait_finished(ticket);
  }

  static inline std::unique_ptr<Reasoner> reasoner_;
};

TEST_F(ThinkRealModel, EightStreamsDifferAndTheMergePrefillsOnlyTheInstruction) {
  const FinishedForTest result = think("8x32", MergeMode::kKv);
  std::set<std::string> texts;
  for (const Json& stream : result.polyphon.at("streams")) texts.insert(stream.at("text"));
  EXPECT_EQ(texts.size(), 8u);
  const ThinkRequest& request = result.trace->request;
  EXPECT_EQ(result.timings.prompt_tokens, static_cast<int>(request.prompt.size()));
  EXPECT_EQ(result.timings.merge_prefill_tokens,
            static_cast<int>(request.merge_instruction.size()));
}

TEST_F(ThinkRealModel, ReplayGivesTheSameTokens) {
  const FinishedForTest warm =
      think("4x24", MergeMode::kKv);  // from here on the prompt is in the prefix cache
  const FinishedForTest recorded = think("4x24", MergeMode::kKv);
  SessionTicket ticket = reasoner_->replay(*recorded.trace, {});
  const FinishedForTest again = wait_finished(ticket);
  const TraceComparison compared = compare_traces(*recorded.trace, *again.trace);
  EXPECT_EQ(compared.matching, compared.tokens) << compared.first_difference;
}

TEST_F(ThinkRealModel, EveryMergeModePhasesAndAutoFinish) {
  for (const MergeMode merge : {MergeMode::kPrefill, MergeMode::kCompact, MergeMode::kVote})
    EXPECT_FALSE(think("3x24", merge).polyphon.at("streams").empty());
  EXPECT_EQ(think("3x16>1x24", MergeMode::kKv).polyphon.at("streams").size(), 4u);
  const FinishedForTest planned = think("auto", MergeMode::kKv);
  EXPECT_EQ(to_json(planned.trace->decisions.at(0))["kind"], "plan");
  EXPECT_NE(planned.polyphon.at("topology"), "auto");
}

}  // namespace
}  // namespace polyphon
