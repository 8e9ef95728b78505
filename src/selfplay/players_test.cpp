// Self-play with several players, some of which fail.
#include <thread>

#include "base/error.h"
#include "selfplay/selfplay.h"
#include "selfplay/selfplay_for_test.h"
#include "tasks/family.h"

namespace polyphon {
namespace {

// A player that plays like the reasoner until `fail` returns a reason to fail.
class FalliblePlayer final : public Player {
 public:
  FalliblePlayer(Reasoner& reasoner, std::string name) : player_(reasoner), name_(std::move(name)) {
    is = player_.identity();
  }

  std::string name() const override { return name_; }
  Identity identity() const override { return is; }
  Finished play(const ThinkInput& input, const SessionTerms& terms, const Stop& stop) override {
    EXPECT_EQ(terms.priority, Priority::kBackground);
    if (const std::string why = fail(played++); !why.empty()) {
      failed_on = input.chat.messages[0].at("content");
      throw Error(ErrorCode::kUnavailable, why);
    }
    Finished finished = player_.play(input, terms, stop);
    Trace trace = *finished.trace;
    trace.version = version_played;
    finished.trace = std::make_shared<const Trace>(std::move(trace));
    return finished;
  }
  std::string go_on(const Continuation& from, const SessionTerms& terms,
                    const Stop& stop) override {
    if (const std::string why = fail(played++); !why.empty())
      throw Error(ErrorCode::kUnavailable, why);
    return player_.go_on(from, terms, stop);
  }

  Identity is;
  std::string version_played = "v1";
  std::function<std::string(int played)> fail = [](int) { return ""; };
  std::atomic<int> played = 0;
  std::string failed_on;  // text of the problem on which it failed

 private:
  ReasonerPlayer player_;
  const std::string name_;
};

class PlayersTest : public SelfPlayTest {
 protected:
  PlayersTest() { options_.parallel = 1; }

  std::multiset<std::string> texts_played() const {
    std::multiset<std::string> texts;
    read_rollouts(folder_, [&](const Trace&, const Outcome& outcome) {
      const Cell& cell = outcome.cell;
      texts.insert(make_problem(family(cell.family), cell.difficulty, outcome.seed).text);
    });
    return texts;
  }

  // Makes a player's sessions wait until the other player has begun `sessions` sessions.
  static std::function<std::string(int)> after(const FalliblePlayer& other, int sessions) {
    return [&other, sessions](int) {
      while (other.played < sessions) std::this_thread::yield();
      return "";
    };
  }

  FalliblePlayer good_{*reasoner_, "good"}, bad_{*reasoner_, "bad"};
};

TEST_F(PlayersTest, ShareTheProblems) {
  good_.fail = after(bad_, 1);
  bad_.fail = after(good_, 1);
  const SelfPlayReport report = play({&good_, &bad_});
  EXPECT_EQ(report.problems, 12);
  EXPECT_EQ(good_.played + bad_.played, 12);
  EXPECT_TRUE(dropped_.empty());
}

TEST_F(PlayersTest, AFailingPlayerIsDroppedAndAnotherPlaysItsProblem) {
  good_.fail = after(bad_, 3);
  bad_.fail = [](int played) { return played == 2 ? "it is gone" : ""; };
  const SelfPlayReport report = play({&good_, &bad_});
  EXPECT_EQ(report.problems, 12);
  EXPECT_EQ(bad_.played, 3);
  EXPECT_EQ(report.dropped, std::vector<std::string>{"bad"});
  EXPECT_EQ(dropped_, (std::map<std::string, std::string>{{"bad", "it is gone"}}));
  EXPECT_EQ(texts_played().count(bad_.failed_on), 1u);
}

TEST_F(PlayersTest, TheLastProblemIsPlayedByAnotherToo) {
  std::atomic<int64_t> played = 0;
  on_session_ = [&](const SelfPlayReport& report) { played = report.problems; };
  bad_.fail = [&](int) {
    while (played < 11) std::this_thread::yield();  // all other problems
    return "it is gone";
  };
  const SelfPlayReport report = play({&good_, &bad_});
  EXPECT_EQ(report.problems, 12);
  EXPECT_EQ(good_.played, 12);
  EXPECT_EQ(texts_played().count(bad_.failed_on), 1u);
}

TEST_F(PlayersTest, WhenAllFailALaterRunCanContinue) {
  good_.fail = [](int played) { return played == 3 ? "tired" : ""; };
  bad_.fail = [](int) { return "it is gone"; };
  EXPECT_THROW(play({&good_, &bad_}), Error);
  EXPECT_EQ(dropped_.size(), 2u);
  dropped_.clear();
  good_.fail = [](int) { return ""; };
  const SelfPlayReport report = play({&good_});
  EXPECT_EQ(report.resumed, 3);
  EXPECT_EQ(report.resumed + report.problems, 12);
}

TEST_F(PlayersTest, PlayersOfAnotherModelOrVersionAreRefusedByName) {
  bad_.is.version = "v2";
  EXPECT_EQ(refusal([&] { play({&good_, &bad_}); }),
            "bad has the version v2, not v1: all players must have the same");
  bad_.is = {"another", "v1"};
  EXPECT_EQ(refusal([&] { play({&good_, &bad_}); }),
            "bad has the model another, not digest: all players must have the same");
  EXPECT_FALSE(std::filesystem::exists(folder_));
}

TEST_F(PlayersTest, APlayerThatSwitchesItsVersionIsDropped) {
  good_.fail = after(bad_, 1);
  bad_.version_played = "v2";
  EXPECT_EQ(play({&good_, &bad_}).problems, 12);
  ASSERT_EQ(dropped_.count("bad"), 1u);
  EXPECT_NE(dropped_["bad"].find("the version v2, not v1"), std::string::npos);
  read_rollouts(folder_,
                [&](const Trace& trace, const Outcome&) { EXPECT_EQ(trace.version, "v1"); });
}

TEST_F(PlayersTest, AnotherPlayerProposesIfOneFails) {
  options_.families = {"letter_counting"};
  options_.proposed_share = 1;
  bad_.fail = [](int) { return "gone"; };
  good_.fail = after(bad_, 1);
  const SelfPlayReport report = play({&good_, &bad_});
  EXPECT_EQ(report.problems, options_.problems);
  EXPECT_EQ(report.dropped, std::vector<std::string>{"bad"});
  EXPECT_EQ(bad_.failed_on, "") << "fails before it plays a session";
  EXPECT_GT(report.proposals.malformed, 0) << "it writes text that is no question";
}

}  // namespace
}  // namespace polyphon
