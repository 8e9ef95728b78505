#include "sessions/engine_roster.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/clock_for_test.h"
#include "model/fake_decoder.h"

namespace polyphon {
namespace {

std::unique_ptr<Engine> engine(int cells) {
  FakeDecoder::Options sizes;
  sizes.capacity_cells = cells;
  auto engine =
      std::make_unique<Engine>(std::make_unique<FakeDecoder>(sizes), EngineOptions{}, kClock);
  // Wait until its thread has started.
  while (engine->status().cells_capacity == 0) std::this_thread::yield();
  return engine;
}

TEST(EngineRosterTest, SumsTheEnginesOfAVersionThatRun) {
  EngineRoster roster;
  const auto first = roster.add("v1", engine(100));
  const auto other = roster.add("v2", engine(200));
  auto again = roster.add("v1", engine(400));
  ASSERT_EQ(roster.status().size(), 2u);
  EXPECT_EQ(roster.status()[0].version, "v1");
  EXPECT_EQ(roster.status()[0].status.cells_capacity, 500);
  EXPECT_EQ(roster.status()[1].status.cells_capacity, 200);
  again.reset();
  EXPECT_EQ(roster.status()[0].status.cells_capacity, 100);
}

TEST(EngineRosterTest, ForgetsTheOldestVersionsWithoutAnEngine) {
  EngineRoster roster;
  const auto held = roster.add("0", engine(100));
  for (int version = 1; version < 40; ++version) roster.add(std::to_string(version), engine(100));
  const auto status = roster.status();
  ASSERT_EQ(status.size(), 16u);
  EXPECT_EQ(status.front().version, "0");
  EXPECT_EQ(status[1].version, "25");
  EXPECT_EQ(status.back().version, "39");
}

}  // namespace
}  // namespace polyphon
