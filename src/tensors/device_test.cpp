#include "tensors/device.h"

#include <gtest/gtest.h>
#include <torch/cuda.h>

#include "base/error.h"

namespace polyphon {
namespace {

std::string refusal(const std::string& name) {
  try {
    parse_device(name, 0);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Device, IsTheCpuWhereNoGpuIs) {
  EXPECT_EQ(parse_device("cpu", 3), torch::Device(torch::kCPU));
  if (torch::cuda::is_available()) GTEST_SKIP() << "a GPU is here";
  EXPECT_EQ(parse_device("auto", 3), torch::Device(torch::kCPU));
  EXPECT_NE(refusal("cuda").find("device cuda is not there"), std::string::npos);
  EXPECT_NE(refusal("cuda:1").find("device cuda:1 is not there"), std::string::npos);
}

TEST(Device, OfAnotherNameIsRefused) {
  for (const char* name : {"", "gpu", "cuda:", "cuda:x", "cuda:1x", "cuda:-1", "cuda1"})
    EXPECT_NE(refusal(name).find("use auto, cpu, cuda or cuda:N"), std::string::npos) << name;
}

}  // namespace
}  // namespace polyphon
