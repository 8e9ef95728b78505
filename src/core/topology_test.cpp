#include "core/topology.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"

namespace polyphon {
namespace {

// The message of the error that parsing throws.
std::string refusal(std::string_view text) {
  try {
    parse_topology(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(error.field(), "polyphon.topology");
    return error.what();
  }
  ADD_FAILURE() << "accepted: " << text;
  return "";
}

TEST(Topology, ReadsPhases) {
  EXPECT_TRUE(parse_topology("auto").is_auto());
  EXPECT_EQ(parse_topology("auto").budget_tokens(), 0);
  EXPECT_EQ(parse_topology("8x256").phases, (std::vector<Phase>{{8, 256}}));
  const Topology two = parse_topology("4x512>1x2048");
  EXPECT_EQ(two.phases, (std::vector<Phase>{{4, 512}, {1, 2048}}));
  EXPECT_EQ(two.budget_tokens(), 4 * 512 + 2048);
}

TEST(Topology, TheBudgetDoesNotOverflow) {
  std::string text = "64x1048576";
  for (int i = 1; i < Topology::kMaxPhases; ++i) text += ">64x1048576";
  EXPECT_EQ(parse_topology(text).budget_tokens(), 8LL * 64 * 1048576);
}

TEST(Topology, RefusesWhatItCannotRead) {
  for (const char* text : {"",          " ",
                           "8",         "x",
                           "8x",        "x256",
                           "8X256",     "8x256>",
                           ">8x256",    "8x256>>1x1",
                           "8 x256",    "8x256 ",
                           "-8x256",    "8x-256",
                           "+8x256",    "8.5x2",
                           "8x256x2",   "0x256",
                           "8x0",       "65x1",
                           "1x1048577", "1x99999999999999999999",
                           "0x10",      "Auto",
                           "auto>1x1",  "8x256,1x1"})
    EXPECT_NE(refusal(text).find(fmt::format("'{}'", text)), std::string::npos) << text;
  EXPECT_NE(refusal("65x1").find("64"), std::string::npos) << "names the bound";
  EXPECT_NE(refusal("1x99999999999").find("1048576"), std::string::npos);
  EXPECT_NE(refusal("1x1>1x1>1x1>1x1>1x1>1x1>1x1>1x1>1x1").find("8 phases"), std::string::npos);
}

TEST(Topology, PrintingAndReadingAreInverse) {
  Random random(2);
  EXPECT_EQ(Topology{}.to_string(), "auto");
  for (int trial = 0; trial < 1000; ++trial) {
    Topology topology;
    for (uint64_t i = random.next() % (Topology::kMaxPhases + 1); i > 0; --i)
      topology.phases.push_back({static_cast<int>(1 + random.next() % Topology::kMaxStreams),
                                 static_cast<int>(1 + random.next() % Topology::kMaxStreamTokens)});
    ASSERT_EQ(parse_topology(topology.to_string()), topology);
  }
}

// Anything else either reads as a topology in bounds or throws Error.
TEST(Topology, RandomTextNeverDoesAnythingElse) {
  Random random(3);
  const std::string_view letters = "0123456789xx>>a -+";
  for (int trial = 0; trial < 20000; ++trial) {
    std::string text;
    for (uint64_t i = random.next() % 10; i > 0; --i)
      text += letters[random.next() % letters.size()];
    try {
      const Topology topology = parse_topology(text);
      ASSERT_FALSE(topology.phases.empty()) << text;
      ASSERT_EQ(parse_topology(topology.to_string()), topology) << text;
      for (const Phase& phase : topology.phases) {
        ASSERT_GE(phase.streams, 1);
        ASSERT_LE(phase.streams, Topology::kMaxStreams);
        ASSERT_GE(phase.tokens, 1);
        ASSERT_LE(phase.tokens, Topology::kMaxStreamTokens);
      }
    } catch (const Error&) {
    }
  }
}

TEST(MergeMode, NamesReadBack) {
  for (const MergeMode mode :
       {MergeMode::kKv, MergeMode::kPrefill, MergeMode::kCompact, MergeMode::kVote})
    EXPECT_EQ(parse_merge_mode(to_string(mode)), mode);
  EXPECT_EQ(to_string(MergeMode::kKv), "kv");
  EXPECT_EQ(to_string(MergeMode::kVote), "vote");
  for (const char* text : {"", "KV", "sum", "kv "}) {
    try {
      parse_merge_mode(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.field(), "polyphon.merge");
    }
  }
}

}  // namespace
}  // namespace polyphon
