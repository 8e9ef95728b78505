#include "trainer/memory_estimate.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace polyphon {
namespace {

const ModelShape kSmall{.architecture = "llama",
                        .layers = 30,
                        .hidden_size = 576,
                        .feed_forward_size = 1536,
                        .heads = 9,
                        .kv_heads = 3,
                        .head_size = 64,
                        .vocabulary_size = 49152,
                        .tied_head = true};

TEST(MemoryEstimate, CountsTheBasesWeights) {
  // SmolLM2-135M has 134,515,008 parameters, 35,136 of them in norms.
  EXPECT_EQ(estimate_memory(kSmall, {}, 2).weights, 2 * (134515008 - 35136));
  EXPECT_EQ(estimate_memory(kSmall, {}, 4).weights, 4 * (134515008 - 35136));
}

TEST(MemoryEstimate, GrowsWithRowsAndShrinksWithCheckpointing) {
  TrainOptions options;
  const auto with_rows = [&](int rows) {
    options.batch_tokens = rows;
    return estimate_memory(kSmall, options, 2).activations;
  };
  EXPECT_EQ(with_rows(4096), 4 * with_rows(1024));
  options.checkpoint_layers = true;
  EXPECT_LT(5 * with_rows(4096), 4096 / 1024 * estimate_memory(kSmall, {}, 2).activations);
}

TEST(MemoryEstimate, OfTheAdapterFollowsItsProjections) {
  TrainOptions all, one;
  one.projections = {"attn_v"};
  // Rank 16 on all projections of SmolLM2-135M: 4,884,480 numbers.
  EXPECT_EQ(estimate_memory(kSmall, all, 2).trained, int64_t{4884480} * 4 * 13);
  EXPECT_EQ(estimate_memory(kSmall, one, 2).trained, int64_t{30} * 16 * (192 + 576) * 4 * 13);
}

TEST(MemoryEstimate, RefusesWithTheFiguresAndWhatToLower) {
  TrainOptions options;
  options.batch_tokens = 65536;
  const MemoryEstimate estimate = estimate_memory(kSmall, options, 2);
  check_memory(estimate, options, estimate.total());
  try {
    check_memory(estimate, options, int64_t{1} << 30);
    FAIL() << "it fits";
  } catch (const Error& error) {
    const std::string why = error.what();
    EXPECT_NE(why.find("1024 MB are free"), std::string::npos) << why;
    EXPECT_NE(why.find("65536 tokens"), std::string::npos) << why;
    EXPECT_NE(why.find("Lower --batch-tokens"), std::string::npos) << why;
    EXPECT_NE(why.find("--checkpoint-layers"), std::string::npos) << why;
    EXPECT_EQ(error.field(), "batch-tokens");
  }
}

}  // namespace
}  // namespace polyphon
