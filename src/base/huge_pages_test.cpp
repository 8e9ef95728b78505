#include "base/huge_pages.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace polyphon {
namespace {

TEST(HugePages, MemoryKeepsItsContents) {
  std::vector<int> values((6 << 20) / sizeof(int));
  wish_for_huge_pages(values.data(), values.size() * sizeof(int));
  std::iota(values.begin(), values.end(), 0);
  // Neither end at a page's border.
  move_to_huge_pages(values.data() + 1, (values.size() - 2) * sizeof(int));
  for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], static_cast<int>(i));
  move_to_huge_pages(values.data(), 0);
}

}  // namespace
}  // namespace polyphon
