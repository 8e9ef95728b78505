#include "sessions/session_driver.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>

namespace polyphon {
namespace {

// A player whose sessions are the results of `play_one`. The seed identifies a session.
class ScriptedPlayer final : public Player {
 public:
  explicit ScriptedPlayer(std::string name) : name_(std::move(name)) {}

  std::string name() const override { return name_; }
  Identity identity() const override { return {"digest", "v1"}; }
  Finished play(const ThinkInput& input, const SessionTerms& terms, const Stop& stop) override {
    EXPECT_EQ(terms.tenant, "night shift");
    EXPECT_EQ(terms.priority, Priority::kBackground);
    if (play_one) play_one(input.sampling.seed, stop);
    return {};
  }
  std::string go_on(const Continuation& from, const SessionTerms&, const Stop&) override {
    return from.text + "!";
  }

  std::function<void(uint64_t seed, const Stop& stop)> play_one;

 private:
  const std::string name_;
};

class SessionDriverTest : public ::testing::Test {
 protected:
  SessionDriverTest() {
    options_.terms.tenant = "night shift";
    options_.terms.priority = Priority::kBackground;
  }

  // Plays sessions with the seeds 0 to `count` - 1 and records what is kept.
  void drive(uint64_t count) {
    uint64_t begun = 0;
    drive_sessions(
        players_, options_, stop_,
        [&]() -> std::optional<SessionTask> {
          if (begun == count) return std::nullopt;
          ThinkInput input;
          input.sampling.seed = begun++;
          return [this, input](const Seat& seat) -> KeepTask {
            seat.play(input);
            return [this, seed = input.sampling.seed] { keep(seed); };
          };
        },
        [this](const Player& player, const Error& error) {
          const std::lock_guard lock(mutex_);
          dropped_[player.name()] = error.what();
          changed_.notify_all();
        });
  }
  virtual void keep(uint64_t seed) {
    const std::lock_guard lock(mutex_);
    kept_.push_back(seed);
    changed_.notify_all();
  }
  void wait_until(const std::function<bool()>& holds) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, holds);
  }

  ScriptedPlayer here_{"here"}, there_{"there"};
  std::vector<Player*> players_{&here_};
  DriveOptions options_;
  std::atomic<bool> stop_ = false;
  std::map<std::string, std::string> dropped_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<uint64_t> kept_;
};

TEST_F(SessionDriverTest, PlaysOneTaskAtATimeByDefault) {
  std::atomic<int> playing = 0;
  here_.play_one = [&](uint64_t, const Stop&) {
    EXPECT_EQ(++playing, 1);
    --playing;
  };
  drive(5);
  EXPECT_EQ(kept_, (std::vector<uint64_t>{0, 1, 2, 3, 4}));
}

TEST_F(SessionDriverTest, PlaysTheGivenNumberAtOncePerPlayer) {
  players_ = {&here_, &there_};
  options_.parallel = 2;
  std::map<const void*, int> playing, most;
  int all = 0;
  const auto meet = [&](ScriptedPlayer& player) {
    player.play_one = [&](uint64_t seed, const Stop&) {
      std::unique_lock lock(mutex_);
      most[&player] = std::max(most[&player], ++playing[&player]);
      ++all;
      changed_.notify_all();
      // The first four run at the same time.
      if (seed < 4) changed_.wait(lock, [&] { return all >= 4; });
      --playing[&player];
    };
  };
  meet(here_);
  meet(there_);
  drive(20);
  EXPECT_EQ(most[&here_], 2);
  EXPECT_EQ(most[&there_], 2);
  EXPECT_EQ(std::set<uint64_t>(kept_.begin(), kept_.end()).size(), 20u);
}

TEST_F(SessionDriverTest, KeepsInTheOrderInWhichTasksEnd) {
  options_.parallel = 2;
  here_.play_one = [&](uint64_t seed, const Stop&) {
    if (seed == 0) wait_until([&] { return kept_.size() == 2; });
  };
  drive(3);
  EXPECT_EQ(kept_, (std::vector<uint64_t>{1, 2, 0}));
}

TEST_F(SessionDriverTest, AsksForMoreAfterEachTask) {
  options_.parallel = 2;
  int given = 0, ended = 0;  // a task begins only after the last one
  drive_sessions(players_, options_, stop_, [&]() -> std::optional<SessionTask> {
    // The next task depends on the running one.
    if (given > ended || given == 3) return std::nullopt;
    ++given;
    return [&](const Seat& seat) -> KeepTask {
      EXPECT_EQ(seat.go_on({"Go on", "", {}, 1}), "Go on!");
      return [&] { ++ended; };
    };
  });
  EXPECT_EQ(ended, 3);
}

TEST_F(SessionDriverTest, AnotherPlayerPlaysTheTaskOfOneThatFails) {
  players_ = {&here_, &there_};
  there_.play_one = [&](uint64_t, const Stop&) { wait_until([&] { return !dropped_.empty(); }); };
  here_.play_one = [](uint64_t, const Stop&) {
    throw Error(ErrorCode::kUnavailable, "it is gone");
  };
  drive(4);
  EXPECT_EQ(dropped_, (std::map<std::string, std::string>{{"here", "it is gone"}}));
  EXPECT_EQ(std::set<uint64_t>(kept_.begin(), kept_.end()).size(), 4u);
}

TEST_F(SessionDriverTest, ThrowsTheLastPlayersError) {
  here_.play_one = [](uint64_t seed, const Stop&) {
    if (seed == 2) throw Error(ErrorCode::kUnavailable, "it is gone");
  };
  EXPECT_THROW(drive(5), Error);
  EXPECT_EQ(kept_.size(), 2u);
  EXPECT_EQ(dropped_.size(), 1u);
}

class FullDiskTest : public SessionDriverTest {
 protected:
  void keep(uint64_t seed) override {
    if (seed == 1) throw Error(ErrorCode::kInternal, "the disk is full");
    SessionDriverTest::keep(seed);
  }
};

TEST_F(FullDiskTest, AFailureToKeepAResultDropsNoPlayer) {
  EXPECT_THROW(drive(5), Error);
  EXPECT_EQ(kept_, (std::vector<uint64_t>{0}));
  EXPECT_TRUE(dropped_.empty());
}

TEST_F(SessionDriverTest, RunningSessionsEndNormallyAfterAStop) {
  here_.play_one = [&](uint64_t seed, const Stop& stop) {
    EXPECT_FALSE(stop.ends_sessions);
    if (seed == 1) stop_ = true;
  };
  drive(5);
  EXPECT_EQ(kept_, (std::vector<uint64_t>{0, 1}));
}

TEST_F(SessionDriverTest, RunningSessionsAreDroppedIfTheStopEndsSessions) {
  options_.stop_ends_sessions = true;
  here_.play_one = [&](uint64_t seed, const Stop& stop) {
    EXPECT_TRUE(stop.ends_sessions);
    if (seed == 1) stop_ = true;
    if (seed == 1) throw Error(ErrorCode::kCancelled, "stopped");
  };
  drive(5);
  EXPECT_EQ(kept_, (std::vector<uint64_t>{0}));
  EXPECT_TRUE(dropped_.empty()) << "a player that gives up because of the stop has not failed";
}

TEST_F(SessionDriverTest, BeginsNothingAfterItsTime) {
  options_.seconds = 1e-9;
  drive(5);
  EXPECT_TRUE(kept_.empty());
}

}  // namespace
}  // namespace polyphon
