// A fake model that states an answer: "Answer: 0", 1 or 2, depending on how much the stream sees,
// so that streams with different strategies differ. SelfPlayTest adds a folder for what it plays.
#pragma once

#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/error.h"
#include "model/fake_language_model.h"
#include "selfplay/selfplay.h"

namespace polyphon {

inline void state_an_answer(const FakeRow& row, std::span<float> logits) {
  static const std::string kSaid = "\nAnswer: ";
  const std::string seen(row.visible.begin(), row.visible.end());
  Token next = FakeTokens::kTurnEnd;
  if (!std::isdigit(static_cast<unsigned char>(seen.back()))) {
    size_t said = kSaid.size();
    while (!seen.ends_with(kSaid.substr(0, said))) --said;
    next = said == kSaid.size() ? static_cast<Token>('0' + seen.size() % 3) : kSaid[said];
  }
  logits[static_cast<size_t>(next)] = 50;
}

// The message of the Error that `body` throws; empty if it throws none.
inline std::string refusal(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

class SelfPlayTest : public ::testing::Test {
 protected:
  explicit SelfPlayTest(const FakeDecoder::Script& script = state_an_answer) {
    reason_with({}, script);
    options_.families = {"counting", "letter_counting"};
    options_.tokens = 32;
    options_.problems = 12;
    options_.parallel = 3;
  }
  void reason_with(const ReasonOptions& options,
                   const FakeDecoder::Script& script = state_an_answer) {
    FakeDecoder::Options sizes;
    sizes.capacity_cells = 1 << 15;
    sizes.max_rows = 2048;
    auto model = std::make_unique<FakeLanguageModel>(sizes, script);
    auto engine = std::make_unique<Engine>(model->make_fake_decoder(), EngineOptions{}, clock_);
    reasoner_ = std::make_unique<Reasoner>(std::move(model), std::move(engine), options,
                                           Reasoner::Identity{"v1", "digest", "hash"});
  }
  void SetUp() override { std::filesystem::remove_all(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  SelfPlayReport play() {
    ReasonerPlayer player(*reasoner_);
    return play({&player});
  }
  SelfPlayReport play(const std::vector<Player*>& players) {
    const auto on_session = [&](const SelfPlayReport& report, const Cell&) { on_session_(report); };
    const auto on_dropped = [&](const std::string& player, const Error& error) {
      dropped_[player] = error.what();
    };
    return self_play(players, options_, held_out_, folder_, stop_, {on_session, on_dropped});
  }

  const SteadyClock clock_;
  std::unique_ptr<Reasoner> reasoner_;
  SelfPlayOptions options_;
  std::set<std::string> held_out_ = {"a problem"};
  std::atomic<bool> stop_ = false;
  std::function<void(const SelfPlayReport&)> on_session_ = [](const SelfPlayReport&) {};
  std::map<std::string, std::string> dropped_;  // reason by the player's name
  const std::string folder_ =
      (std::filesystem::temp_directory_path() /
       (std::string("selfplay-") + ::testing::UnitTest::GetInstance()->current_test_info()->name()))
          .string();
};

// Writes short sentences for a while before it states an answer, so that there is time for notes.
inline void ponder(const FakeRow& row, std::span<float> logits) {
  const std::string seen(row.visible.begin(), row.visible.end());
  const std::string line = seen.substr(std::min(seen.rfind('\n'), seen.size()));
  const size_t since = seen.size() % 41;  // length of the line so far, if it states an answer
  if (since == 0 || line.size() == since)
    state_an_answer(row, logits);
  else
    logits[seen.size() % 7 == 0 ? '.' : 'a' + seen.size() % 26] = 50;
}

// Sessions with registers, played again without each of their promotions.
class PromotingSelfPlayTest : public SelfPlayTest {
 protected:
  PromotingSelfPlayTest() : SelfPlayTest(ponder) {
    options_.tokens = 64;
    options_.parallel = 1;  // as the command does: step numbers are shared by all running sessions
    options_.counterfactuals.registers = 2;
    options_.counterfactuals.cadence_tokens = 6;
  }
};

}  // namespace polyphon
