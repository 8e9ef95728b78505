// Sessions whose streams search, with fake models that produce known trees.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "model/fake_language_model.h"
#include "sessions/finished_for_test.h"
#include "sessions/reasoner.h"

namespace polyphon {

// A model whose next token is a hash of what it sees: any wrong cell changes the rest.
inline void hashed(const FakeRow& row, std::span<float> logits) {
  uint64_t seen = 0;
  for (const Token token : row.visible) seen = mix_bits(seen + static_cast<uint64_t>(token));
  logits['a' + seen % 26] = 50;
  logits['a' + (seen >> 8) % 26] = 50;
  if (seen % 7 == 0) logits['\n'] = 51;
  if (seen % 97 == 0) logits[FakeTokens::kEnd] = 50;
}

// Advances by a millisecond each time it is read, if `runs` is set.
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
    heads.value.weights = {4, 0, 0, 0, 0, 0};  // the value depends on confidence alone
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

  FinishedForTest think(const ThinkInput& input) {
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

  // The text of a stream, including what searches committed.
  static std::string text_of(const FinishedForTest& result, size_t stream) {
    return result.polyphon.at("streams").at(stream).at("text");
  }

  // At the beginning of a line two continuations are equally likely. The model writes the good line
  // with certainty and the bad line at random.
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

  // Expects that no session left anything in the cache.
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

}  // namespace polyphon
