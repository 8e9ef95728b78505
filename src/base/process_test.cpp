#include "base/process.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace polyphon {
namespace {

constexpr int64_t kMegabyte = 1 << 20;

class AvailableMemory : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(folder_);
    write("proc/meminfo", "MemTotal: 900 kB\nMemAvailable: 819200 kB\n");  // 800 MB
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(folder_ + name).parent_path());
    std::ofstream(folder_ + name) << text;
  }
  int64_t megabytes() const {
    return available_memory(folder_ + "proc", folder_ + "cgroup") / kMegabyte;
  }

  const std::string folder_ = ::testing::TempDir() + "available-memory-" +
                              ::testing::UnitTest::GetInstance()->current_test_info()->name() + "/";
};

TEST_F(AvailableMemory, IsTheMachinesWithoutALimit) {
  EXPECT_EQ(megabytes(), 800);
  write("proc/self/cgroup", "0::/job/run\n");
  write("cgroup/job/run/memory.max", "max\n");
  write("cgroup/job/run/memory.current", "5\n");
  EXPECT_EQ(megabytes(), 800);
}

TEST_F(AvailableMemory, IsWhatTheTightestGroupAboveLeaves) {
  write("proc/self/cgroup", "0::/job/run\n");
  write("cgroup/job/run/memory.max", std::to_string(700 * kMegabyte));
  write("cgroup/job/run/memory.current", std::to_string(100 * kMegabyte));
  EXPECT_EQ(megabytes(), 600);
  write("cgroup/job/memory.max", std::to_string(500 * kMegabyte));
  write("cgroup/job/memory.current", std::to_string(400 * kMegabyte));
  EXPECT_EQ(megabytes(), 100);
  write("cgroup/job/memory.stat", "anon 7\ninactive_file " + std::to_string(50 * kMegabyte) + "\n");
  EXPECT_EQ(megabytes(), 150);
}

TEST_F(AvailableMemory, KnowsTheFirstVersionOfCgroups) {
  write("proc/self/cgroup", "5:cpu:/\n4:memory:/job\n0::/\n");
  write("cgroup/memory/job/memory.limit_in_bytes", std::to_string(300 * kMegabyte));
  write("cgroup/memory/job/memory.usage_in_bytes", std::to_string(100 * kMegabyte));
  EXPECT_EQ(megabytes(), 200);
  write("cgroup/memory/memory.limit_in_bytes", std::to_string(50 * kMegabyte));
  write("cgroup/memory/memory.usage_in_bytes", std::to_string(40 * kMegabyte));
  EXPECT_EQ(megabytes(), 10);
}

TEST(MemoryText, IsInMebibytesOrGibibytes) {
  EXPECT_EQ(memory_text(1 << 19), "0.5 MiB");
  EXPECT_EQ(memory_text(uint64_t{3} << 29), "1.5 GiB");
}

TEST_F(AvailableMemory, IsSomethingHere) { EXPECT_GT(available_memory(), kMegabyte); }

}  // namespace
}  // namespace polyphon
