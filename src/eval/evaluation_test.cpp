#include "eval/evaluation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <map>
#include <optional>
#include <thread>

#include "base/clock_for_test.h"
#include "base/error.h"
#include "model/fake_language_model.h"
#include "tasks/family.h"

namespace polyphon {
namespace {

const std::atomic<bool> kNever = false;

// A reasoner whose fake model writes what `script` allows.
std::unique_ptr<Reasoner> make_reasoner(FakeDecoder::Script script = {}, int max_sequences = 64) {
  FakeDecoder::Options sizes;
  sizes.capacity_cells = 1 << 16;
  sizes.max_sequences = max_sequences;
  sizes.max_rows = 2048;
  auto model = std::make_unique<FakeLanguageModel>(sizes, std::move(script));
  auto engine = std::make_unique<Engine>(model->make_fake_decoder(), EngineOptions{}, kClock);
  return std::make_unique<Reasoner>(std::move(model), std::move(engine), ReasonOptions{},
                                    Reasoner::Identity{"v1", "digest", "hash"});
}

Problem problem() { return make_problem(family("counting"), 1, 3); }

TEST(Evaluation, EveryArmSpendsTheSameBudget) {
  EvaluationOptions options;
  options.shape = {4, 32};
  for (const Arm& each : arms()) {
    const ThinkInput input = evaluation_input(problem(), each, options);
    const int search = input.search.on() ? input.search.max_tokens : 0;
    const long long budget = input.topology.budget_tokens() + search;
    EXPECT_EQ(budget, each.name == "short" ? 32 : 128) << each.name;
    EXPECT_EQ(input.sampling.seed, evaluation_input(problem(), arm("vote"), options).sampling.seed);
  }
}

TEST(Evaluation, TheSetsNameArmsThatExist) {
  for (const auto& set : {control_set(), collapse_cures()})
    for (const std::string& name : set) EXPECT_EQ(arm(name).name, name);
  EXPECT_THROW(arm("wishful"), Error);
}

TEST(Evaluation, RunsEveryArmOverEveryProblem) {
  auto reasoner = make_reasoner();
  EvaluationOptions options;
  options.shape = {2, 24};
  options.max_answer_tokens = 8;
  options.parallel = 3;
  std::vector<WantedSample> wanted;
  for (const Arm& each : arms()) wanted.push_back({problem(), &each});
  std::map<std::string, EvaluationSample> samples;
  evaluate(
      *reasoner, wanted, options, {},
      [&](const EvaluationSample& sample) { samples[sample.arm] = sample; }, kNever);
  ASSERT_EQ(samples.size(), arms().size());
  for (const auto& [name, sample] : samples) {
    const bool single = name == "short" || name.starts_with("sequential");
    EXPECT_EQ(sample.streams.size(), single ? 1u : 2u) << name;
    EXPECT_LE(sample.thought_tokens, name == "kv_workspace_search" ? 88 : 48) << name;
    EXPECT_GE(sample.cells, sample.thought_tokens) << name;
    EXPECT_FALSE(sample.right) << name;
  }
  EXPECT_GT(samples.at("prefill").prefill_tokens, samples.at("kv").prefill_tokens);
}

// A stream that would end at once spends its whole budget if it is urged.
TEST(Evaluation, AnUrgedStreamSpendsItsBudget) {
  auto reasoner = make_reasoner([](const FakeRow& row, std::span<float> logits) {
    const bool said = row.visible.back() == 'o';
    logits[said ? FakeTokens::kTurnEnd : 'o'] = 50;
  });
  EvaluationOptions options;
  options.shape = {2, 128};
  options.max_answer_tokens = 4;
  std::map<std::string, EvaluationSample> samples;
  evaluate(
      *reasoner, {{problem(), &arm("sequential")}, {problem(), &arm("sequential_urged")}}, options,
      {}, [&](const EvaluationSample& sample) { samples[sample.arm] = sample; }, kNever);
  EXPECT_EQ(samples.at("sequential").thought_tokens, 1);
  const EvaluationSample& urged = samples.at("sequential_urged");
  EXPECT_GT(urged.thought_tokens, 3);
  EXPECT_GT(urged.cells, samples.at("sequential").cells + 150);
}

TEST(Evaluation, StopsBetweenSamplesAndWithinOne) {
  auto reasoner = make_reasoner();
  EvaluationOptions options;
  options.shape = {2, 24};
  std::atomic<bool> stop = false;
  int samples = 0;
  const std::vector<WantedSample> wanted(5, {problem(), &arm("kv")});
  evaluate(
      *reasoner, wanted, options, {}, [&](const EvaluationSample&) { stop = ++samples == 2; },
      stop);
  EXPECT_EQ(samples, 2);
  evaluate(*reasoner, wanted, options, {}, [&](const EvaluationSample&) { ++samples; }, stop);
  EXPECT_EQ(samples, 2);
}

TEST(Evaluation, ThrowsWhatASessionFailedWith) {
  auto reasoner = make_reasoner();
  EvaluationOptions options;
  options.shape = {8, 1 << 16};  // exceeds the caps
  int samples = 0;
  EXPECT_THROW(evaluate(
                   *reasoner, {{problem(), &arm("kv")}, {problem(), &arm("vote")}}, options, {},
                   [&](const EvaluationSample&) { ++samples; }, kNever),
               Error);
  EXPECT_EQ(samples, 0);
}

// The engine has room for one session at a time. A session holds it until an evaluation waits, and
// behind it another session of a user.
class EvaluationBesideUsers : public ::testing::Test {
 protected:
  EvaluationBesideUsers() {
    options_.shape = {2, 24};
    options_.max_answer_tokens = 4;
  }
  ~EvaluationBesideUsers() override { let_go(); }

  SessionTicket user(const std::string& text) {
    ThinkInput input;
    input.chat.messages = {{{"role", "user"}, {"content", text}}};
    input.topology = parse_topology("2x24");
    input.max_answer_tokens = 4;
    return reasoner_->think(input, {});
  }
  void begin(Priority priority) {
    running_.emplace(user("USER ONE"));
    while (reasoner_->engine()->status().sessions_live == 0) std::this_thread::yield();
    evaluation_ = std::jthread([this, priority] {
      SessionTerms terms;
      terms.priority = priority;
      evaluate(
          *reasoner_, {{problem(), &arm("kv")}}, options_, terms,
          [this](const EvaluationSample&) { ++samples_; }, stop_);
    });
    while (reasoner_->engine()->status().sessions_waiting < 1) std::this_thread::yield();
  }
  void let_go() {
    if (!std::exchange(gone_, true)) go_on_.set_value();
  }
  // Returns the order in which the sessions began.
  std::string order_beside_a_user(Priority priority) {
    begin(priority);
    SessionTicket waiting = user("USER TWO");
    while (reasoner_->engine()->status().sessions_waiting < 2) std::this_thread::yield();
    let_go();
    wait_finished(*running_);
    wait_finished(waiting);
    evaluation_.join();
    EXPECT_EQ(samples_, 1);
    return order_;
  }

  EvaluationOptions options_;
  std::atomic<bool> stop_ = false;
  int samples_ = 0;
  std::string order_;  // sessions in the order they begin: 1 and 2 of users, e of the evaluation
  std::promise<void> go_on_;
  bool gone_ = false;
  std::unique_ptr<Reasoner> reasoner_ = make_reasoner(
      [this, held = go_on_.get_future().share()](const FakeRow& row, std::span<float> logits) {
        const std::string seen(row.visible.begin(), row.visible.end());
        const char who = seen.find("USER ONE") != std::string::npos   ? '1'
                         : seen.find("USER TWO") != std::string::npos ? '2'
                                                                      : 'e';
        if (order_.empty()) held.wait();
        if (order_.empty() || order_.back() != who) order_.push_back(who);
        logits['.'] = 1;
      },
      6);
  std::optional<SessionTicket> running_;
  std::jthread evaluation_;
};

TEST_F(EvaluationBesideUsers, InTheBackgroundItLetsUsersGoFirst) {
  EXPECT_EQ(order_beside_a_user(Priority::kBackground), "12e");
}

TEST_F(EvaluationBesideUsers, WithNormalPriorityItTakesItsTurn) {
  EXPECT_EQ(order_beside_a_user(Priority::kInteractive), "1e2");
}

TEST_F(EvaluationBesideUsers, StopsWhileItWaitsForUsers) {
  begin(Priority::kBackground);
  stop_ = true;
  evaluation_.join();
  EXPECT_EQ(samples_, 0);
}

}  // namespace
}  // namespace polyphon
