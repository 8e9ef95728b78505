#include "base/logging.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <sstream>
#include <vector>

#include "base/error.h"

namespace polyphon {
namespace {

// What is logged goes to standard error, from the level on.
TEST(Logging, WritesFromItsLevelOnToStandardError) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  init_logging("warn");
  spdlog::info("quiet");
  spdlog::warn("loud");
  init_logging("off");
  spdlog::error("silent");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("loud"), std::string::npos);
  EXPECT_EQ(log.find("quiet"), std::string::npos);
  EXPECT_EQ(log.find("silent"), std::string::npos);
}

std::vector<std::string> lines_of(const std::string& log) {
  std::vector<std::string> lines;
  std::istringstream text(log);
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

TEST(Logging, ARecordIsOneLineWhateverItRepeats) {
  testing::internal::CaptureStderr();
  init_logging("warn");
  spdlog::warn("no grammar: {}", "a\n2026-01-01 error forged\x1b[2J\r");
  spdlog::error("{} and what to do", std::string(500'000, 'x'));
  init_logging("off");
  const auto lines = lines_of(testing::internal::GetCapturedStderr());
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_TRUE(lines[0].ends_with("no grammar: a\\n2026-01-01 error forged\\x1b[2J\\r")) << lines[0];
  EXPECT_LT(lines[1].size(), 3000u);
  EXPECT_NE(lines[1].find("(500015 bytes)"), std::string::npos);
  EXPECT_TRUE(lines[1].ends_with("x and what to do"));
}

TEST(StrayOutput, IsLoggedByTheLineAndBounded) {
  testing::internal::CaptureStderr();
  init_logging("warn");
  {
    const StrayOutput stray;
    std::fprintf(stderr, "the grammar ");
    std::fprintf(stderr, "does not parse\n\n%s\n", std::string(100'000, 'x').c_str());
    for (int i = 0; i < 1000; ++i) std::fprintf(stderr, "rule %d\n", i);
  }
  std::fprintf(stderr, "as before\n");
  init_logging("off");
  const auto lines = lines_of(testing::internal::GetCapturedStderr());
  ASSERT_GE(lines.size(), 7u);
  EXPECT_TRUE(lines[0].ends_with("stderr: the grammar does not parse")) << lines[0];
  EXPECT_LT(lines[1].size(), 700u);
  EXPECT_TRUE(lines[2].ends_with("stderr: rule 0"));
  EXPECT_LT(lines.size(), 500u);  // five a second, however slow this machine is
  EXPECT_TRUE(lines[lines.size() - 2].ends_with("lines more"));
  EXPECT_EQ(lines.back(), "as before");
}

TEST(Logging, RefusesAnUnknownLevel) {
  for (const char* level : {"", "loud", "WARN", "info "}) {
    try {
      init_logging(level);
      ADD_FAILURE() << level;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      EXPECT_NE(std::string(error.what()).find("'" + std::string(level) + "'"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace polyphon
