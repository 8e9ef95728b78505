#include "base/logging.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

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
