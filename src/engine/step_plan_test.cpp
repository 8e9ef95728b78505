#include "engine/step_plan.h"

#include <gtest/gtest.h>

#include <map>

#include "base/clock.h"
#include "model/fake_decoder.h"

namespace polyphon {
namespace {

const SteadyClock kClock;

// A prompt, read and continued in `streams` sequences.
class PromptSession final : public Session {
 public:
  PromptSession(int tokens, int streams)
      : prompt_(static_cast<size_t>(tokens), 'p'), streams_(streams) {}
  SessionNeeds needs() const override {
    return {streams_ * (static_cast<int>(prompt_.size()) + 8), streams_};
  }
  const Tokens& prompt() const override { return prompt_; }
  void start(SessionViews& views) override {
    for (int i = 0; i < streams_; ++i) {
      const SequenceNumber sequence = i == 0 ? views.open_prompt(prompt_) : views.open();
      if (i > 0) views.feed(sequence, prompt_, {});
      views.generate(sequence, std::make_unique<Sampler>(SamplingParams{}, nullptr, false), {});
    }
  }
  void on_token(SequenceNumber, const SampledToken&) override {}
  void after_step() override {}
  bool finished() const override { return false; }
  void fail(const Error&) override {}

 private:
  Tokens prompt_;
  int streams_;
};

class StepPlanTest : public ::testing::Test {
 protected:
  LiveSession* add(int tokens, Priority priority = Priority::kInteractive, int streams = 1) {
    WaitingSession waiting;
    waiting.session = std::make_unique<PromptSession>(tokens, streams);
    waiting.terms.priority = priority;
    waiting.terms.cache_prompt = false;
    sessions_.push_back(
        std::make_unique<LiveSession>(std::move(waiting), cache_, prefixes_, kClock));
    sessions_.back()->session().start(*sessions_.back());
    return sessions_.back().get();
  }
  // A session whose prompt is read and that has sampled a token.
  LiveSession* add_running(Priority priority = Priority::kInteractive) {
    LiveSession* const session = add(4, priority);
    std::vector<Row> rows;
    for (int i = 0; i < 4; ++i) rows.push_back(session->row(0, i));
    EXPECT_EQ(cache_.decode(rows, false), DecodeStatus::kOk);
    session->decoded(0, 4, 0);
    SampledToken sampled;
    sampled.token = 'a';
    session->deliver(0, sampled, {});
    return session;
  }
  StepPlan plan(size_t turn = 0) { return plan_step(sessions_, pace_, kMaxRows, turn); }
  // Prompt rows of each session in the plan.
  std::map<LiveSession*, int> rows(size_t turn = 0) {
    std::map<LiveSession*, int> result;
    for (const PlannedRun& run : plan(turn).prefill) result[run.session] += run.count;
    return result;
  }
  int all_rows() {
    int sum = 0;
    for (const auto& [session, count] : rows()) sum += count;
    return sum;
  }
  // A row costs `ms`, a step without prompts 27.5 ms.
  void learn(double ms) {
    pace_.prompts_took(std::vector{StepPace::Chunk{100, 0}}, 100 * ms);
    pace_.sampled_rows_took(27.5);
  }

  static constexpr int kMaxRows = 512;
  FakeDecoder decoder_{{.capacity_cells = 200'000, .max_rows = kMaxRows}};
  KvCache cache_{decoder_};
  PrefixCache prefixes_{cache_, 0};
  std::vector<std::unique_ptr<LiveSession>> sessions_;
  StepPace pace_;
};

TEST_F(StepPlanTest, ASessionAloneGetsChunksThatDoNotDependOnTheClock) {
  LiveSession* const session = add(2000);
  for (const double ms : {0.01, 1.0, 100.0}) {
    learn(ms);
    EXPECT_EQ(rows()[session], kMaxRows);
  }
  sessions_.clear();
  add(300, Priority::kInteractive, 2);
  EXPECT_EQ(all_rows(), kMaxRows) << "both of its sequences share the chunk";
  EXPECT_EQ(plan().prefill[0].count, 256);
}

TEST_F(StepPlanTest, BesideARunningStreamAChunkIsCutByTime) {
  LiveSession* const running = add_running();
  LiveSession* const reading = add(2000);
  EXPECT_EQ(rows()[reading], 32) << "nothing is known yet";
  learn(1);
  EXPECT_NEAR(rows()[reading], 100, 1) << "150 ms, less a margin and the step itself";
  ASSERT_EQ(plan().decode.size(), 1u);
  EXPECT_EQ(plan().decode[0].session, running);
  for (int i = 0; i < 20; ++i) learn(0.01);
  EXPECT_EQ(rows()[reading], kMaxRows);
  for (int i = 0; i < 40; ++i) learn(1000);
  EXPECT_EQ(rows()[reading], 16) << "it goes on however slow the machine is";
}

TEST_F(StepPlanTest, SeveralPromptsThatNobodyWaitsBehindGetASecond) {
  add(2000);
  add(2000);
  learn(5);
  EXPECT_NEAR(all_rows(), 200, 2);
}

TEST_F(StepPlanTest, StreamsInTheBackgroundDoNotNarrowAChunk) {
  add_running(Priority::kBackground);
  LiveSession* const reading = add(2000, Priority::kBackground);
  learn(5);
  EXPECT_NEAR(rows()[reading], 200, 2);
}

TEST_F(StepPlanTest, BackgroundSessionsGetRowsOnlyWhenNoInteractiveOneHasAny) {
  add_running(Priority::kBackground);
  LiveSession* const interactive = add(2000);
  const StepPlan planned = plan();
  EXPECT_TRUE(planned.decode.empty());
  ASSERT_EQ(planned.prefill.size(), 1u);
  EXPECT_EQ(planned.prefill[0].session, interactive);
  EXPECT_EQ(planned.prefill[0].count, kMaxRows) << "it is alone among those that have rows";
}

TEST_F(StepPlanTest, TheShortestPromptGoesFirstAndTheLongOneIsNotStarved) {
  add_running();
  LiveSession* const lengthy = add(5000);
  LiveSession* const brief = add(90);
  LiveSession* const middle = add(95);
  learn(1);
  std::map<LiveSession*, int> sum;
  for (size_t turn = 0; turn < 3; ++turn) {
    const auto granted = rows(turn);
    int all = 0;
    for (const auto& [session, count] : granted) {
      sum[session] += count;
      all += count;
    }
    EXPECT_NEAR(all, 100, 2);
  }
  EXPECT_NEAR(sum[brief], 75 + 90 + 75, 4);
  EXPECT_NEAR(sum[lengthy], 25, 2) << "a quarter of the chunk when it is its turn";
  EXPECT_GE(sum[middle], 25);
}

TEST_F(StepPlanTest, EqualPromptsGoInOrderOfArrival) {
  add_running();
  LiveSession* const first = add(80);
  add(80);
  learn(1);
  EXPECT_EQ(rows(0)[first], 80);
}

}  // namespace
}  // namespace polyphon
