#include "trainer/diversity_loss.h"

#include <gtest/gtest.h>

#include <cmath>

namespace polyphon {
namespace {

using torch::Tensor;

// Three streams: (1, 0) is the mean of two rows, (0, 3) and (1, 1); and two that are alike.
const std::vector<StreamSummaries> kSets = {{0.5f, {{{0, 1}, {7, 8}}, {{1, 2}}, {{2, 3}}}},
                                            {0.25f, {{{4, 5}}, {{5, 6}}}}};
Tensor states() {
  return torch::tensor({2.0, 0.0, 0.0, 0.0, 0.0, 3.0, 1.0, 1.0, 4.0, 2.0, 2.0, 1.0}, torch::kDouble)
      .view({6, 2});
}

TEST(DiversityLoss, IsWhatOneComputesByHand) {
  EXPECT_EQ(summarised_rows(kSets), (std::vector<int>{0, 7, 1, 2, 4, 5}));
  // Cosines 0, 1/sqrt(2) and 1/sqrt(2); and 1.
  const double over = 1 / std::sqrt(2.0) - 0.6;
  const double expected = 0.5 * (2 * over / 3) + 0.25 * 0.4;
  EXPECT_NEAR(diversity_loss(states(), kSets, 0.6).item<double>(), expected, 1e-12);
  EXPECT_EQ(diversity_loss(states(), {kSets[0]}, 0.8).item<double>(), 0);
}

TEST(DiversityLoss, PushesApartOnlyWhatIsBeyondTheMargin) {
  Tensor at = states().set_requires_grad(true);
  diversity_loss(at, kSets, 0.8).backward();
  EXPECT_EQ(at.grad().narrow(0, 0, 4).abs().sum().item<double>(), 0);
  at = states().set_requires_grad(true);
  const Tensor before = diversity_loss(at, kSets, 0.6);
  before.backward();
  EXPECT_GT(at.grad().narrow(0, 0, 4).abs().sum().item<double>(), 0);
  const torch::NoGradGuard guard;
  EXPECT_LT(diversity_loss(at - 0.1 * at.grad(), kSets, 0.6).item<double>(), before.item<double>());
}

}  // namespace
}  // namespace polyphon
