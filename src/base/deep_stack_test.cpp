#include "base/deep_stack.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace polyphon {
namespace {

// Uses a kilobyte a call.
int depth(int calls) {
  volatile char frame[1024];
  frame[0] = static_cast<char>(calls);
  return calls == 0 ? frame[0] : 1 + depth(calls - 1) + 0 * frame[0];
}

TEST(DeepStack, HoldsADeepRecursion) {
  int reached = 0;
  call_on_deep_stack(size_t{128} << 20, [&] { reached = depth(50'000); });
  EXPECT_EQ(reached, 50'000);
}

TEST(DeepStack, PassesOnWhatIsThrown) {
  EXPECT_THROW(call_on_deep_stack(1 << 20, [] { throw std::runtime_error("no"); }),
               std::runtime_error);
}

}  // namespace
}  // namespace polyphon
