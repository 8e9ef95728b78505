#include "base/spare_cores.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace polyphon {
namespace {

using namespace std::chrono_literals;

// A machine whose other programs keep `load` cores busy, seen once a second.
class Machine {
 public:
  explicit Machine(int cores) { use_.cores = cores; }
  int threads_beside(SpareCores& spare, double load, int looks = 1) {
    for (int i = 0; i < looks; ++i) {
      now_ += 1s;
      use_.busy_seconds += load + spare.threads();
      use_.own_seconds += spare.threads();
      EXPECT_TRUE(spare.due(now_));
      spare.look(use_, now_);
      EXPECT_FALSE(spare.due(now_));
    }
    return spare.threads();
  }

 private:
  CpuUse use_;
  TimePoint now_ = TimePoint{} + 1h;
};

TEST(SpareCores, AThreadGivesWayToANeighbourAndComesBack) {
  SpareCores spare(2);
  Machine machine(2);
  EXPECT_EQ(machine.threads_beside(spare, 1), 2) << "one look says nothing";
  EXPECT_EQ(machine.threads_beside(spare, 0.66), 1) << "what a neighbour gets beside two threads";
  EXPECT_EQ(machine.threads_beside(spare, 1, 5), 1) << "and beside one";
  EXPECT_EQ(machine.threads_beside(spare, 0.45, 5), 1) << "half a core is not worth a thread";
  EXPECT_EQ(machine.threads_beside(spare, 0.1), 2);
  EXPECT_EQ(machine.threads_beside(spare, 0.45, 5), 2) << "nor worth giving one up";
  EXPECT_EQ(machine.threads_beside(spare, 2), 1) << "one is left whatever happens";
}

TEST(SpareCores, ManyCoresHaveRoomForNeighbours) {
  SpareCores spare(8);
  Machine machine(16);
  machine.threads_beside(spare, 0);
  EXPECT_EQ(machine.threads_beside(spare, 7), 8);
  EXPECT_EQ(machine.threads_beside(spare, 12), 4);
  EXPECT_EQ(machine.threads_beside(spare, 9.3), 7);
  EXPECT_EQ(machine.threads_beside(spare, 0), 8);
}

TEST(SpareCores, WithoutFiguresAllThreadsStay) {
  SpareCores spare(4);
  for (int i = 0; i < 5; ++i) spare.look(std::nullopt, TimePoint{} + i * 1s);
  EXPECT_EQ(spare.threads(), 4);
}

TEST(SpareCores, CountsTheCoresThatThisProcessMayUse) {
  const auto folder = std::filesystem::temp_directory_path() / "polyphon_spare_cores_test";
  std::filesystem::create_directory(folder);
  EXPECT_FALSE(cpu_use(folder.string()).has_value());
  // Every core of the largest machine; those that are not ours must not count.
  std::ofstream stat(folder / "stat");
  stat << "cpu  1 2 3 4 5 6 7 8 9 10\n";
  for (int core = 0; core < 1024; ++core)
    stat << "cpu" << core << " 100 5000 200 4000 300 30 40 30 7 7\n";
  stat << "intr 1 2 3\ncpu0 is not read after the block\n";
  stat.close();
  const auto use = cpu_use(folder.string());
  ASSERT_TRUE(use.has_value());
  EXPECT_GE(use->cores, 1);
  EXPECT_LE(use->cores, 1024);
  EXPECT_DOUBLE_EQ(use->busy_seconds, use->cores * 54.0) << "in ticks of 10 ms, without idle ones";
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace polyphon
