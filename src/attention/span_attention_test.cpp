#include "attention/span_attention.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "attention/attention_case_for_test.h"

namespace polyphon {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

// Pairs of bfloat16 round queries and weights to 8 bits; values here are up to 3.
constexpr double kPairRounding = 1.5e-2;

// The greatest difference to the reference, in units of the reference's spread.
void expect_matches(AttentionCase& attention, int threads, double tolerance,
                    const std::string& what) {
  SpanAttention span;
  span.set_threads(threads);
  span.compute(attention.op);
  const std::vector<double> expected = attention.reference();
  ASSERT_EQ(expected.size(), attention.out.size());
  double worst = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_FALSE(std::isnan(attention.out[i])) << what << " at " << i;
    worst = std::max(worst, std::abs(expected[i] - attention.out[i]));
  }
  EXPECT_LE(worst, tolerance) << what;
}

MaskValue nothing_hidden() {
  return [](int, int) { return 0.0f; };
}

TEST(SpanAttention, MatchesTheReferenceForEveryHeadSize) {
  for (const int size : {64, 80, 96, 112, 128, 192, 256})
    for (const int rows : {1, 2, 9})
      for (const int heads : {1, 4}) {
        AttentionCase attention({.rows = rows,
                                 .cells = 131,
                                 .heads = heads,
                                 .kv_heads = 1,
                                 .key_size = size,
                                 .value_size = size},
                                1, nothing_hidden());
        expect_matches(attention, 2, 3e-6, fmt::format("{} rows {} heads {}", size, rows, heads));
      }
}

// Threads follow what is free on the machine, and a session's tokens must not.
TEST(SpanAttention, ASmallerTeamComputesTheSameBits) {
  for (const int rows : {1, 3, 8}) {
    AttentionCase attention(
        {.rows = rows, .cells = 700, .heads = 6, .kv_heads = 2, .key_size = 64, .value_size = 64},
        1, nothing_hidden());
    SpanAttention span;
    span.set_threads(3);
    span.compute(attention.op);
    const std::vector<float> by_three = attention.out;
    for (const int threads : {1, 2}) {
      std::fill(attention.out.begin(), attention.out.end(), NAN);
      span.set_threads(threads);
      span.compute(attention.op);
      EXPECT_EQ(attention.out, by_three) << rows << " rows, " << threads << " threads";
    }
  }
}

TEST(SpanAttention, MatchesTheReferenceForEveryKvType) {
  for (const KvType keys : {KvType::kF32, KvType::kF16, KvType::kBF16, KvType::kQ80})
    for (const KvType values : {KvType::kF32, KvType::kF16, KvType::kBF16, KvType::kQ80})
      for (const int rows : {1, 5}) {
        AttentionCase attention({.rows = rows,
                                 .cells = 100,
                                 .heads = 6,
                                 .kv_heads = 2,
                                 .key_size = 128,
                                 .value_size = 96,
                                 .key_type = keys,
                                 .value_type = values},
                                2, nothing_hidden());
        const bool in_pairs = keys == KvType::kBF16 || values == KvType::kBF16;
        expect_matches(attention, 2, in_pairs && rows > 1 ? kPairRounding : 3e-6,
                       fmt::format("keys {} values {} rows {}", static_cast<int>(keys),
                                   static_cast<int>(values), rows));
      }
}

// Odd numbers of cells and queries, sizes that are no multiple of a tile's.
TEST(SpanAttention, PairsOfBf16MatchTheReferenceForRandomShapesAndMasks) {
  Random random(14);
  const auto up_to = [&](int most) { return 1 + static_cast<int>(random.uniform() * most); };
  for (int i = 0; i < 60; ++i) {
    const int kv_heads = up_to(3);
    const AttentionShape shape{.rows = up_to(i % 10 == 0 ? 150 : 20),
                               .cells = up_to(300),
                               .heads = kv_heads * up_to(5),
                               .kv_heads = kv_heads,
                               .key_size = 16 * (3 + up_to(5)),
                               .value_size = 16 * (3 + up_to(5)),
                               .key_type = KvType::kBF16,
                               .value_type = KvType::kBF16,
                               .softcap = i % 4 == 0 ? 5.0f : 0.0f,
                               .sinks = i % 3 == 0};
    const double density = i % 2 == 0 ? 0.05 : 0.7;
    std::vector<uint8_t> seen(static_cast<size_t>(shape.rows * shape.cells));
    for (uint8_t& one : seen) one = random.uniform() < density;
    AttentionCase attention(shape, static_cast<uint64_t>(i), [&](int row, int cell) {
      return seen[static_cast<size_t>(row) * static_cast<size_t>(shape.cells) +
                  static_cast<size_t>(cell)]
                 ? 0.0f
                 : kNever;
    });
    expect_matches(attention, up_to(4), kPairRounding, fmt::format("case {}", i));
  }
}

// Every number of queries from 1 on takes its own kernel, or its own tiles.
TEST(SpanAttention, MatchesTheReferenceForEveryNumberOfQueries) {
  for (int rows = 1; rows <= 70; rows += rows < 12 ? 1 : 7)
    for (const int heads : {1, 3}) {
      AttentionCase attention({.rows = rows, .cells = 77, .heads = heads}, 3, nothing_hidden());
      expect_matches(attention, 2, 3e-6, fmt::format("rows {} heads {}", rows, heads));
    }
}

TEST(SpanAttention, MatchesTheReferenceForRandomShapesAndMasks) {
  Random random(4);
  const auto up_to = [&](int most) { return 1 + static_cast<int>(random.uniform() * most); };
  for (int i = 0; i < 150; ++i) {
    const int kv_heads = up_to(3);
    AttentionShape shape{.rows = up_to(i % 10 == 0 ? 150 : 20),
                         .cells = up_to(400),
                         .heads = kv_heads * up_to(5),
                         .kv_heads = kv_heads,
                         .key_size = 64,
                         .value_size = 16 * (3 + up_to(4))};
    shape.sinks = i % 3 == 0;
    shape.softcap = i % 4 == 0 ? 5.0f : 0.0f;
    shape.max_bias = i % 5 == 0 ? 8.0f : 0.0f;
    const double density = i % 2 == 0 ? 0.02 : 0.7;
    std::vector<uint8_t> seen(static_cast<size_t>(shape.rows * shape.cells));
    for (uint8_t& one : seen) one = random.uniform() < density;
    AttentionCase attention(shape, static_cast<uint64_t>(i), [&](int row, int cell) {
      if (!seen[static_cast<size_t>(row) * static_cast<size_t>(shape.cells) +
                static_cast<size_t>(cell)])
        return kNever;
      return shape.max_bias > 0 ? -static_cast<float>(shape.cells - cell) / 16 : 0.0f;
    });
    expect_matches(attention, up_to(4), 1e-5, fmt::format("case {}", i));
  }
}

// What streams of a session look like: a prompt that all see, and cells of each in turn.
TEST(SpanAttention, SharedPromptAndInterleavedStreams) {
  for (const int streams : {2, 8, 63, 64, 65, 130})
    for (const int prompt : {0, 5, 64, 200}) {
      const int cells = prompt + streams * 20 + 7;
      AttentionCase attention({.rows = streams, .cells = cells}, 5, [&](int row, int cell) {
        return cell < prompt || ((cell - prompt) % streams == row && cell < cells - 7) ? 0 : kNever;
      });
      expect_matches(attention, 2, 3e-6, fmt::format("{} streams, prompt {}", streams, prompt));
    }
}

TEST(SpanAttention, CausalChunkBehindAPrompt) {
  for (const int rows : {64, 100, 256}) {
    AttentionCase attention({.rows = rows, .cells = 150 + rows}, 6, [&](int row, int cell) {
      return cell <= 150 + row && (cell < 40 || cell > 90) ? 0 : kNever;
    });
    expect_matches(attention, 3, 3e-6, fmt::format("{} rows", rows));
  }
}

TEST(SpanAttention, RowsThatSeeNothingGiveZero) {
  for (const bool sinks : {false, true}) {
    AttentionCase attention({.rows = 3, .cells = 70, .sinks = sinks}, 7,
                            [](int row, int) { return row == 1 ? 0.0f : kNever; });
    expect_matches(attention, 2, 3e-6, "some see");
    AttentionCase nobody({.rows = 3, .cells = 70, .sinks = sinks}, 7,
                         [](int, int) { return kNever; });
    expect_matches(nobody, 2, 0, "nobody sees");
  }
}

TEST(SpanAttention, OneCellIsItsValue) {
  for (const int cell : {0, 63, 64, 127, 128}) {
    AttentionCase attention({.rows = 2, .cells = 129}, 8,
                            [&](int, int c) { return c == cell ? 0.0f : kNever; });
    expect_matches(attention, 2, 1e-7, fmt::format("cell {}", cell));
  }
}

TEST(SpanAttention, HugeLogitsChooseOneCell) {
  for (const int rows : {1, 12}) {
    AttentionCase attention({.rows = rows, .cells = 300, .magnitude = 1e4f}, 9, nothing_hidden());
    expect_matches(attention, 2, 2e-3, fmt::format("rows {}", rows));
  }
}

TEST(SpanAttention, WithoutAMaskAllIsSeen) {
  AttentionCase attention({.rows = 5, .cells = 91, .masked = false}, 10, nothing_hidden());
  expect_matches(attention, 2, 3e-6, "no mask");
}

// Threads beyond the work, and splits inside every row group and head.
TEST(SpanAttention, AnyNumberOfThreads) {
  for (const int threads : {1, 2, 3, 7, 32}) {
    AttentionCase attention({.rows = 4, .cells = 500, .heads = 6, .kv_heads = 2}, 11,
                            nothing_hidden());
    expect_matches(attention, threads, 3e-6, fmt::format("{} threads", threads));
  }
}

TEST(SpanAttention, AMaskIsReadAgainInTheNextStep) {
  float hidden = 0;
  AttentionShape shape{.rows = 2, .cells = 100};
  const auto mask = [&](int, int cell) { return cell > 50 ? hidden : 0; };
  AttentionCase attention(shape, 12, mask);
  SpanAttention span;
  span.compute(attention.op);
  hidden = kNever;
  AttentionCase changed(shape, 12, mask);
  std::copy_n(changed.op.mask, 2 * changed.op.mask_row_stride,
              const_cast<uint16_t*>(attention.op.mask));
  span.begin_step();
  span.compute(attention.op);
  const auto expected = changed.reference();
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(attention.out[i], expected[i], 3e-6);
}

}  // namespace
}  // namespace polyphon
