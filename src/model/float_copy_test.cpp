#include "model/float_copy.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"

namespace polyphon {
namespace {

TEST(FloatCopy, WhatIsNoModelIsRefused) {
  const std::string copy = ::testing::TempDir() + "float-copy.gguf";
  for (const char* path : {"", "no/such/file.gguf", "/proc/self/status"}) {
    EXPECT_THROW(write_float_copy(path, copy), Error) << path;
    EXPECT_FALSE(std::filesystem::exists(copy)) << path;
  }
}

}  // namespace
}  // namespace polyphon
