#include "sessions/session_sinks.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <future>

#include "base/clock.h"
#include "base/error.h"
#include "model/fake_language_model.h"
#include "sessions/reasoner.h"

namespace polyphon {
namespace {

using std::chrono::seconds;

FinishedSession of(const std::string& tenant) {
  FinishedSession session;
  session.tenant = tenant;
  return session;
}

TEST(SessionSinks, GetEverySessionInOrder) {
  std::string first, second;
  {
    SessionSinks sinks;
    sinks.add([&](const FinishedSession& session) { first += session.tenant; });
    sinks.add([&](const FinishedSession& session) { second += session.tenant; });
    for (const char* tenant : {"a", "b", "c"}) sinks.push(of(tenant));
  }
  EXPECT_EQ(first, "abc");
  EXPECT_EQ(second, "abc");
}

TEST(SessionSinks, ASlowSinkBlocksNobodyAndDropsAreCounted) {
  std::promise<void> begun, go_on;
  std::string heard;
  SessionSinks sinks(2);
  sinks.add([&, held = go_on.get_future().share()](const FinishedSession& session) {
    if (heard.empty()) begun.set_value();
    heard += session.tenant;
    held.wait();
  });
  sinks.push(of("a"));
  begun.get_future().wait();
  for (const char* tenant : {"b", "c", "d", "e"}) sinks.push(of(tenant));
  EXPECT_EQ(sinks.dropped(), 2);
  EXPECT_FALSE(sinks.wait(std::chrono::milliseconds(1)));
  go_on.set_value();
  EXPECT_TRUE(sinks.wait(seconds(60)));
  EXPECT_EQ(heard, "abc");
}

TEST(SessionSinks, AFailingSinkDoesNotStopOthers) {
  int heard = 0;
  SessionSinks sinks;
  sinks.add([](const FinishedSession&) { throw Error(ErrorCode::kInternal, "the disk is full"); });
  sinks.add([&](const FinishedSession&) { ++heard; });
  sinks.push(of("a"));
  sinks.push(of("b"));
  EXPECT_TRUE(sinks.wait(seconds(60)));
  EXPECT_EQ(heard, 2);
}

TEST(SessionSinks, ARemovedSinkGetsEarlierSessions) {
  std::string heard;
  SessionSinks sinks;
  const int sink = sinks.add([&](const FinishedSession& session) { heard += session.tenant; });
  sinks.push(of("a"));
  sinks.remove(sink, seconds(60));
  sinks.push(of("b"));
  EXPECT_TRUE(sinks.wait(seconds(60)));
  EXPECT_EQ(heard, "a");
}

// Sessions of a fake model whose clients never read their events.
class RecordedSessionTest : public ::testing::Test {
 protected:
  RecordedSessionTest()
      : path_(std::filesystem::temp_directory_path() /
              ("polyphon-recorded-" + std::to_string(::getpid()) + ".db")) {
    auto model = std::make_unique<FakeLanguageModel>(
        FakeDecoder::Options{}, [this](const FakeRow&, std::span<float> logits) {
          std::unique_lock lock(mutex_);
          changed_.wait(lock, [this] { return open_; });
          logits['a'] = 100;
        });
    auto engine =
        std::make_unique<Engine>(model->make_decoder({2048, 64, 128}), EngineOptions{}, clock_);
    reasoner_ = std::make_unique<Reasoner>(std::move(model), std::move(engine), ReasonOptions{},
                                           Reasoner::Identity{"v1", "digest", "config"});
    remove_file();
    reasoner_->use_memory_store(std::make_unique<MemoryStore>(path_.string(), StoreLimits{}));
    reasoner_->sinks().add([this](const FinishedSession& session) { heard_.push_back(session); });
  }
  void TearDown() override {
    set_gate(true);
    reasoner_.reset();
    remove_file();
  }
  void remove_file() const {
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path_.string() + end);
  }
  void set_gate(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  void wait_idle() {
    while (true) {
      const EngineStatus status = reasoner_->engine()->status();
      if (status.sessions_live + status.sessions_waiting == 0) break;
      std::this_thread::yield();
    }
    ASSERT_TRUE(reasoner_->sinks().wait(seconds(60)));
  }
  SessionTicket think() {
    ThinkInput input;
    input.chat.messages = {{{"role", "user"}, {"content", "Note it."}}};
    input.topology = parse_topology("1x60");
    input.max_answer_tokens = 4;
    const std::string script = "[remember: the code is 4417]";
    input.scripts = {Tokens(script.begin(), script.end())};
    input.memory.enabled = true;
    input.memory.cadence_tokens = 0;
    SessionTerms terms;
    terms.tenant = "ada";
    return reasoner_->think(input, terms);
  }

  const SteadyClock clock_;
  const std::filesystem::path path_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;  // mutex_
  std::vector<FinishedSession> heard_;
  std::unique_ptr<Reasoner> reasoner_;
};

TEST_F(RecordedSessionTest, TraceAndMemoryAreKeptWithoutAClient) {
  {
    const SessionTicket ticket = think();
    wait_idle();
  }
  ASSERT_EQ(heard_.size(), 1u);
  EXPECT_EQ(heard_[0].tenant, "ada");
  EXPECT_EQ(heard_[0].finished.version, "v1");
  ASSERT_TRUE(heard_[0].finished.trace);
  const auto nodes = reasoner_->memory_store()->list("ada");
  ASSERT_FALSE(nodes.empty());
  EXPECT_EQ(nodes[0].session, heard_[0].finished.trace->id);
}

TEST_F(RecordedSessionTest, PlainSessionsReachTheSinksToo) {
  CompletionRequest request;
  request.prompt = {'a', 'b'};
  request.max_tokens = 3;
  SessionTicket completion = reasoner_->complete(request, {});
  SessionTicket embedding = reasoner_->embed({'a', 'b'}, {});
  wait_idle();
  ASSERT_EQ(heard_.size(), 2u);
  EXPECT_EQ(heard_[0].finished.usage.prompt_tokens, 2);
  EXPECT_EQ(heard_[1].finished.usage.prompt_tokens, 2);
}

TEST_F(RecordedSessionTest, ACancelledSessionIsNotRecorded) {
  set_gate(false);
  {
    const SessionTicket ticket = think();
    while (reasoner_->engine()->status().sessions_live == 0) std::this_thread::yield();
  }
  set_gate(true);
  wait_idle();
  EXPECT_TRUE(heard_.empty());
  EXPECT_EQ(reasoner_->engine()->status().sessions_cancelled, 1);
  EXPECT_TRUE(reasoner_->memory_store()->list("ada").empty());
}

}  // namespace
}  // namespace polyphon
