#include "engine/engine.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "base/channel.h"
#include "base/clock_for_test.h"
#include "base/error.h"
#include "model/fake_decoder.h"

namespace polyphon {
namespace {

class HandClock final : public Clock {
 public:
  TimePoint now() const override { return now_.load(); }
  void advance(std::chrono::milliseconds by) { now_ = now_.load() + by; }

 private:
  std::atomic<TimePoint> now_ = TimePoint{} + std::chrono::hours(1);
};

struct Outcome {
  std::string text;
  std::optional<ErrorCode> failed;
  int cached = 0;
  Trace trace;
};

// Decodes a prompt, samples a few tokens greedily, and reports.
class ScriptedSession : public Session {
 public:
  ScriptedSession(Tokens prompt, int tokens, std::shared_ptr<Channel<Outcome>> done)
      : prompt_(std::move(prompt)), tokens_(tokens), done_(std::move(done)) {}

  SessionNeeds needs() const override {
    return {static_cast<int>(prompt_.size()) + tokens_ + 1, 1};
  }
  const Tokens& prompt() const override { return prompt_; }
  void start(SessionViews& views) override {
    views_ = &views;
    SamplingParams greedy;
    greedy.temperature = 0;
    views.generate(views.open_prompt(prompt_), std::make_unique<Sampler>(greedy, nullptr, false),
                   SpanOwner::of(SpanKind::kAnswer));
  }
  void on_token(SequenceNumber sequence, const SampledToken& token) override {
    outcome_.text += static_cast<char>(token.token);
    if (static_cast<int>(outcome_.text.size()) < tokens_) return;
    views_->stop(sequence, false);
    outcome_.cached = views_->cached_prompt_tokens();
    outcome_.trace = views_->trace();
    finished_ = true;
    done_->push(outcome_);
  }
  void after_step() override {}
  bool finished() const override { return finished_; }
  void fail(const Error& error) override {
    outcome_.failed = error.code();
    done_->push(outcome_);
  }

 protected:
  Tokens prompt_;
  int tokens_;
  std::shared_ptr<Channel<Outcome>> done_;
  SessionViews* views_ = nullptr;
  Outcome outcome_;
  bool finished_ = false;
};

Tokens tokens_of(const std::string& text) { return Tokens(text.begin(), text.end()); }

class EngineTest : public ::testing::Test {
 protected:
  void start(FakeDecoder::Options sizes = {}, EngineOptions options = {},
             FakeDecoder::Script script = {}, const Clock& clock = kClock) {
    auto decoder = std::make_unique<FakeDecoder>(sizes, std::move(script));
    decoder_ = decoder.get();
    engine_ = std::make_unique<Engine>(std::move(decoder), options, clock);
  }
  std::shared_ptr<Channel<Outcome>> run(const std::string& prompt, int tokens,
                                        const SessionTerms& terms = {}) {
    auto done = std::make_shared<Channel<Outcome>>();
    engine_->submit(std::make_unique<ScriptedSession>(tokens_of(prompt), tokens, done), terms);
    return done;
  }
  static Outcome wait(const std::shared_ptr<Channel<Outcome>>& done) {
    auto outcome = done->pop(std::chrono::seconds(20));
    EXPECT_TRUE(outcome.has_value());
    return outcome.value_or(Outcome{});
  }
  void idle() { ASSERT_TRUE(engine_->drain(std::chrono::seconds(20))); }

  HandClock hand_clock_;  // for start(); an engine reads its clock until it ends
  FakeDecoder* decoder_ = nullptr;
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineTest, TextDoesNotDependOnWhatIsDecodedBeside) {
  start();
  const std::string alone = wait(run("one prompt", 20)).text;
  std::vector<std::shared_ptr<Channel<Outcome>>> others;
  for (int i = 0; i < 12; ++i) others.push_back(run("other " + std::to_string(i), 30));
  EXPECT_EQ(wait(run("one prompt", 20)).text, alone);
  for (auto& other : others) EXPECT_EQ(wait(other).text.size(), 30u);
}

TEST_F(EngineTest, LongPromptsAreChunkedAndGiveTheSameText) {
  FakeDecoder::Options small;
  small.max_rows = 16;
  start(small);
  const std::string prompt(300, 'x');
  const std::string chunked = wait(run(prompt, 8)).text;
  FakeDecoder::Options large;
  large.max_rows = 512;
  start(large);
  EXPECT_EQ(wait(run(prompt, 8)).text, chunked);
}

TEST_F(EngineTest, ALongPromptDoesNotHoldUpARunningStream) {
  using namespace std::chrono_literals;
  // A pass costs 10 ms, a row of a prompt 2 ms and 1 ms more for each 1,024 cells before it.
  std::promise<void> reached, go_on;
  int passes = 0, chunks = 0;
  double longest_gap_ms = 0;
  TimePoint last;
  FakeDecoder::Options sizes;
  sizes.max_rows = 512;
  sizes.on_decode = [&](std::span<const Row> rows) {
    if (++passes == 10) {
      reached.set_value();
      go_on.get_future().wait();
    }
    auto cost = 10'000us;
    if (rows.size() > 1) {
      chunks += passes > 10;
      for (const Row& row : rows) cost += 2'000us + 1us * row.position;
    } else {
      if (chunks > 0)
        longest_gap_ms = std::max(longest_gap_ms, milliseconds_between(last, hand_clock_.now()));
      last = hand_clock_.now();
    }
    hand_clock_.advance(std::chrono::duration_cast<std::chrono::milliseconds>(cost));
  };
  start(sizes, {}, {}, hand_clock_);
  auto stream = run("a stream", 200);
  reached.get_future().wait();
  auto prompt = run(std::string(2000, 'x'), 1);
  go_on.set_value();
  EXPECT_EQ(wait(prompt).text.size(), 1u);
  EXPECT_EQ(wait(stream).text.size(), 200u);
  idle();
  EXPECT_GT(chunks, 30);
  EXPECT_LT(chunks, 100);
  EXPECT_GT(longest_gap_ms, 100);
  EXPECT_LE(longest_gap_ms, 150);
}

TEST_F(EngineTest, APromptSeenBeforeIsJoinedFromTheCache) {
  start();
  const Outcome first = wait(run("a system prompt, then a question", 5));
  EXPECT_EQ(first.cached, 0);
  const Outcome again = wait(run("a system prompt, then a question", 5));
  EXPECT_EQ(again.cached, 31);  // all but the last token
  EXPECT_EQ(again.text, first.text);
  const Outcome other = wait(run("a system prompt, then another", 5));
  EXPECT_EQ(other.cached, 23);
}

TEST_F(EngineTest, ThePrefixCacheIsPerTenant) {
  start();
  SessionTerms alice, bob;
  alice.tenant = "alice";
  bob.tenant = "bob";
  wait(run("a shared beginning", 5, alice));
  EXPECT_EQ(wait(run("a shared beginning", 5, bob)).cached, 0);
  EXPECT_GT(wait(run("a shared beginning", 5, alice)).cached, 0);
}

TEST_F(EngineTest, APromptIsNotCachedIfSoAsked) {
  start();
  SessionTerms apart;
  apart.cache_prompt = false;
  const std::string text = wait(run("a prompt", 5, apart)).text;
  const Outcome first = wait(run("a prompt", 5));
  EXPECT_EQ(first.cached, 0) << "it was not kept";
  const Outcome again = wait(run("a prompt", 5, apart));
  EXPECT_EQ(again.cached, 0) << "nor is what others kept looked at";
  EXPECT_EQ(again.text, text);
  EXPECT_EQ(wait(run("a prompt", 5)).cached, 7);
}

TEST_F(EngineTest, CachedPrefixesGiveWayToSessions) {
  FakeDecoder::Options sizes;
  sizes.capacity_cells = 256;
  start(sizes);
  for (int i = 0; i < 20; ++i) {
    const std::string prompt = std::to_string(i) + std::string(150, 'p');
    EXPECT_EQ(wait(run(prompt, 40)).text.size(), 40u);
  }
}

TEST_F(EngineTest, SessionsWaitForCellsAndAllFinish) {
  FakeDecoder::Options sizes;
  sizes.capacity_cells = 300;
  start(sizes);
  std::vector<std::shared_ptr<Channel<Outcome>>> all;
  for (int i = 0; i < 16; ++i) all.push_back(run("prompt " + std::to_string(i), 80));
  for (auto& done : all) EXPECT_EQ(wait(done).text.size(), 80u);
  idle();
  EXPECT_EQ(engine_->status().cells_used, engine_->status().cells_cached);
}

TEST_F(EngineTest, WhatCanNeverFitIsRefusedWithTheFigures) {
  FakeDecoder::Options sizes;
  sizes.capacity_cells = 100;
  start(sizes);
  try {
    run("prompt", 200);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find("207 KV cells"), std::string::npos) << error.what();
  }
}

TEST_F(EngineTest, AFullQueueIsRefused) {
  FakeDecoder::Options sizes;
  sizes.capacity_cells = 2000;
  EngineOptions options;
  options.max_waiting = 1;
  start(sizes, options);
  std::vector<std::shared_ptr<Channel<Outcome>>> accepted;
  bool refused = false;
  for (int i = 0; i < 10 && !refused; ++i) {
    try {
      accepted.push_back(run("prompt " + std::to_string(i), 1500));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kOverloaded);
      refused = true;
    }
  }
  EXPECT_TRUE(refused);
  for (auto& done : accepted) EXPECT_EQ(wait(done).text.size(), 1500u);
}

TEST_F(EngineTest, ACancelledSessionFreesItsCells) {
  start();
  SessionTerms terms;
  terms.cancelled = std::make_shared<std::atomic<bool>>(false);
  auto done = run("to be cancelled", 3000, terms);
  terms.cancelled->store(true);
  EXPECT_EQ(wait(done).failed, ErrorCode::kCancelled);
  idle();
  EXPECT_EQ(engine_->status().cells_used, engine_->status().cells_cached);
  EXPECT_EQ(engine_->status().sessions_cancelled, 1);
}

TEST_F(EngineTest, ADeadlineEndsASession) {
  start();
  SessionTerms terms;
  terms.deadline = kClock.now();
  EXPECT_EQ(wait(run("too late", 100, terms)).failed, ErrorCode::kDeadlineExceeded);
}

TEST_F(EngineTest, ABackendFailureEndsTheSessionsAndNotTheEngine) {
  start();
  decoder_->fail_decode(0, DecodeStatus::kFailed);
  EXPECT_EQ(wait(run("prompt", 10)).failed, ErrorCode::kInternal);
  EXPECT_EQ(wait(run("prompt", 10)).text.size(), 10u);
}

TEST_F(EngineTest, DrainingRefusesNewSessionsAndFinishesOld) {
  start();
  auto done = run("prompt", 200);
  idle();
  EXPECT_EQ(wait(done).text.size(), 200u);
  EXPECT_THROW(run("prompt", 10), Error);
}

TEST_F(EngineTest, EndingTheEngineFailsWhatRuns) {
  start();
  auto done = run("prompt", 3900);
  engine_.reset();
  const Outcome outcome = wait(done);
  EXPECT_TRUE(outcome.failed == ErrorCode::kUnavailable || outcome.text.size() == 3900u);
}

TEST_F(EngineTest, TheTraceHoldsEveryTokenWithItsPositionAndStep) {
  start();
  wait(run("abcdef", 4));
  const Trace trace = wait(run("abcdef", 4)).trace;
  ASSERT_EQ(trace.spans.size(), 2u);
  EXPECT_EQ(trace.cached_prompt_tokens, 5);
  EXPECT_EQ(trace.spans[0].begin, 0);
  EXPECT_EQ(trace.spans[0].tokens, tokens_of("abcdef"));
  EXPECT_EQ(trace.spans[0].steps, (std::vector<Step>{-1, -1, -1, -1, -1, 0}));
  EXPECT_EQ(to_string(trace.spans[1].owner), "answer");
  EXPECT_EQ(trace.spans[1].begin, 6);
  EXPECT_EQ(trace.spans[1].steps, (std::vector<Step>{1, 2, 3}));  // the last is never decoded
}

TEST_F(EngineTest, EachSessionHasItsFigures) {
  // The fourth choice of a token is held up; what was published before it stays.
  std::promise<void> reached, go_on;
  FakeDecoder::Options sizes;
  sizes.capacity_cells = 300;
  start(sizes, {}, [&, calls = 0](const FakeRow&, std::span<float> logits) mutable {
    logits['a'] = 1;
    if (++calls != 4) return;
    reached.set_value();
    go_on.get_future().wait();
  });
  SessionTerms other;
  other.tenant = "other";
  auto runs = run("a prompt", 200);
  reached.get_future().wait();
  auto waits = run("waits for cells", 150, other);
  const std::vector<SessionStatus> sessions = engine_->status().sessions;
  go_on.set_value();
  ASSERT_EQ(sessions.size(), 2u);
  EXPECT_EQ(sessions[0].number, 1);
  EXPECT_FALSE(sessions[0].waiting);
  EXPECT_EQ(sessions[0].prompt_tokens, 8);
  EXPECT_EQ(sessions[0].prompt_tokens_decoded, 8);
  EXPECT_EQ(sessions[0].prompt_tokens_cached, 0);
  EXPECT_EQ(sessions[0].tokens_sampled, 3);
  EXPECT_EQ(sessions[0].sequences, 1);
  EXPECT_EQ(sessions[0].sequences_sampling, 1);
  EXPECT_EQ(sessions[0].cells_reserved, 209);
  EXPECT_EQ(sessions[0].cells_used, 10);  // the third choice is not decoded yet
  EXPECT_EQ(sessions[1].number, 2);
  EXPECT_TRUE(sessions[1].waiting);
  EXPECT_EQ(sessions[1].prompt_tokens, 15);
  EXPECT_EQ(sessions[1].cells_reserved, 166);
  EXPECT_EQ(sessions[1].tokens_sampled, 0);
  EXPECT_GE(sessions[0].age_ms, sessions[1].age_ms);
  EXPECT_EQ(wait(runs).text.size(), 200u);
  EXPECT_EQ(wait(waits).text.size(), 150u);
  idle();
  EXPECT_TRUE(engine_->status().sessions.empty());
}

TEST_F(EngineTest, AForwardPassThatHangsIsSeenFromOutside) {
  using namespace std::chrono_literals;
  std::promise<void> reached, go_on;
  start(
      {}, {},
      [&, calls = 0](const FakeRow&, std::span<float> logits) mutable {
        logits['a'] = 1;
        if (++calls != 4) return;
        reached.set_value();
        go_on.get_future().wait();
      },
      hand_clock_);
  hand_clock_.advance(1h);
  EXPECT_EQ(engine_->stuck_ms(), 0) << "an idle engine is well";
  auto runs = run("a prompt", 8);
  reached.get_future().wait();
  EXPECT_EQ(engine_->stuck_ms(), 0) << "time before the thread woke does not count";
  hand_clock_.advance(90s);
  EXPECT_EQ(engine_->stuck_ms(), 90'000);
  const EngineStatus status = engine_->status();
  EXPECT_EQ(status.activity, Activity::kDecoding);
  EXPECT_EQ(status.step_ms, 90'000);
  ASSERT_EQ(status.sessions.size(), 1u);
  EXPECT_EQ(status.sessions[0].age_ms, 90'000) << "ages grow while nothing is published";
  EngineStatus both;
  both += status;
  both += EngineStatus{};
  EXPECT_EQ(both.activity, Activity::kDecoding) << "an idle engine does not hide a stuck one";
  EXPECT_EQ(both.step_ms, 90'000);
  go_on.set_value();
  EXPECT_EQ(wait(runs).text, "aaaaaaaa");
  idle();
  while (engine_->status().activity != Activity::kIdle) std::this_thread::yield();
  hand_clock_.advance(1h);
  EXPECT_EQ(engine_->stuck_ms(), 0);
}

TEST_F(EngineTest, ASessionThatHangsIsSeenFromOutside) {
  using namespace std::chrono_literals;
  class HangingSession final : public ScriptedSession {
   public:
    HangingSession(std::shared_ptr<Channel<Outcome>> done, std::promise<void>& reached,
                   std::shared_future<void> go_on)
        : ScriptedSession(tokens_of("prompt"), 4, std::move(done)),
          reached_(reached),
          go_on_(std::move(go_on)) {}
    void after_step() override {
      if (std::exchange(hung_, true)) return;
      reached_.set_value();
      go_on_.wait();
    }

   private:
    std::promise<void>& reached_;
    std::shared_future<void> go_on_;
    bool hung_ = false;
  };
  std::promise<void> reached, go_on;
  auto done = std::make_shared<Channel<Outcome>>();
  start({}, {}, {}, hand_clock_);
  engine_->submit(std::make_unique<HangingSession>(done, reached, go_on.get_future().share()), {});
  reached.get_future().wait();
  hand_clock_.advance(5s);
  EXPECT_EQ(engine_->stuck_ms(), 5'000);
  EXPECT_EQ(engine_->status().activity, Activity::kSessions);
  go_on.set_value();
  EXPECT_EQ(wait(done).text.size(), 4u);
}

TEST_F(EngineTest, InteractiveSessionsGoFirst) {
  // Room for one session at a time; the first is held up until the others wait.
  std::promise<void> go_on;
  std::string order;  // of first letters, as sessions begin; the decode thread's
  FakeDecoder::Options sizes;
  sizes.capacity_cells = 60;
  start(sizes, {},
        [&, held = go_on.get_future().share()](const FakeRow& row, std::span<float> logits) {
          logits['.'] = 1;
          const char first = static_cast<char>(row.visible[0]);
          if (order.empty()) held.wait();
          if (order.empty() || order.back() != first) order.push_back(first);
        });
  SessionTerms background;
  background.priority = Priority::kBackground;
  auto running = run("r: it runs", 40);
  while (engine_->status().sessions_live == 0) std::this_thread::yield();
  auto late = run("b: in the background", 30, background);
  auto soon = run("i: interactive", 30);
  go_on.set_value();
  for (const auto& each : {running, late, soon}) wait(each);
  EXPECT_EQ(order, "rib");
}

}  // namespace
}  // namespace polyphon
