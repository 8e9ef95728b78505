#include "record/trace_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/error.h"
#include "record/random_trace_for_test.h"

namespace polyphon {
namespace {

class TraceFile : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "polyphon_trace_XXXXXX";
    ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
    path_ = folder_ + "/traces.jsonl";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string folder_, path_;
};

TEST_F(TraceFile, AppendsLinesThatReadBack) {
  for (uint64_t seed = 0; seed < 5; ++seed) append_trace(path_, random_trace(seed));
  const std::vector<Trace> traces = read_traces(path_);
  ASSERT_EQ(traces.size(), 5u);
  for (uint64_t seed = 0; seed < 5; ++seed) expect_same(traces[seed], random_trace(seed));
  struct stat state{};
  ASSERT_EQ(::stat(path_.c_str(), &state), 0);
  EXPECT_EQ(state.st_mode & 0777, 0600u) << "prompts are private";
}

TEST_F(TraceFile, LinesOfSeveralThreadsDoNotMix) {
  {
    std::vector<std::jthread> writers;
    for (uint64_t writer = 0; writer < 4; ++writer)
      writers.emplace_back([&, writer] {
        for (uint64_t i = 0; i < 50; ++i) append_trace(path_, random_trace(writer * 50 + i));
      });
  }
  std::vector<std::string> ids;
  for (const Trace& trace : read_traces(path_)) ids.push_back(trace.id);
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end());
  EXPECT_EQ(ids.size(), 200u);
}

TEST_F(TraceFile, InvalidUtf8IsStillWritten) {
  Trace trace = random_trace(1);
  trace.result.answer = "\xFF";
  append_trace(path_, trace);
  EXPECT_EQ(read_traces(path_).at(0).result.answer, "\xEF\xBF\xBD");
}

void expect_internal_error(const std::string& path) {
  try {
    append_trace(path, random_trace(1));
    ADD_FAILURE() << path;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInternal);
    EXPECT_NE(std::string(error.what()).find(path), std::string::npos);
  }
}

TEST_F(TraceFile, AFullDiskIsAnError) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  try {
    append_trace("/dev/full", random_trace(1));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInternal);
    EXPECT_NE(std::string(error.what()).find("No space left"), std::string::npos) << error.what();
  }
}

// The file size limit allows less than one more line: the append fails, and the file keeps only the
// earlier line.
TEST_F(TraceFile, ACutLineIsTakenBack) {
  append_trace(path_, random_trace(1));
  const auto size = std::filesystem::file_size(path_);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{size + 100, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  expect_internal_error(path_);
  const std::vector<Trace> several = {random_trace(2), random_trace(3)};
  EXPECT_THROW(append_traces(path_, several), Error);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(std::filesystem::file_size(path_), size);
  append_trace(path_, random_trace(2));
  EXPECT_EQ(read_traces(path_).size(), 2u);
}

TEST_F(TraceFile, APathThatCannotBeOpenedIsAnError) {
  expect_internal_error(folder_);
  expect_internal_error(folder_ + "/none/traces.jsonl");
}

TEST_F(TraceFile, AppendsSeveralTracesInOrder) {
  const std::vector<Trace> several = {random_trace(1), random_trace(2), random_trace(3)};
  append_traces(path_, several);
  const std::vector<Trace> read = read_traces(path_);
  ASSERT_EQ(read.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(read[i].id, several[i].id);
}

TEST_F(TraceFile, ReadingNamesTheBadLine) {
  append_trace(path_, random_trace(1));
  std::ofstream(path_, std::ios::app) << "\n{\"format\": 1, \"id\"\n";
  try {
    read_traces(path_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find("line 3: not a trace: it is not JSON"),
              std::string::npos)
        << error.what();
  }
  try {
    read_traces(folder_ + "/none");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  }
}

}  // namespace
}  // namespace polyphon
